use super::*;

const XMLNS: &str = "xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\"";

fn refused(body: &str) -> String {
    read(body.as_bytes()).unwrap_err().to_string()
}

fn forwards(fields: &str) -> Result<Wanted, DocumentError> {
    read(format!("<SetForwarding {XMLNS}><device>1001</device>{fields}</SetForwarding>").as_bytes())
}

#[test]
fn what_the_keys_of_phones_send_is_read() {
    let declared = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n";
    for (word, is_on) in [("true", true), ("false", false), (" 1 ", true), ("0", false)] {
        let body = format!(
            "{declared}<SetDoNotDisturb {XMLNS}>\r\n  <device>1001</device>\r\n  <doNotDisturbOn>{word}</doNotDisturbOn>\r\n</SetDoNotDisturb>\r\n"
        );
        assert_eq!(read(body.as_bytes()).unwrap(), Wanted::DoNotDisturb(is_on));
    }
    let read = forwards(
        "<forwardingType>forwardNoAns</forwardingType><activateForward>true</activateForward>\
         <forwardDN>101</forwardDN><ringCount>3</ringCount>",
    );
    let wanted = Wanted::Forward {
        condition: Condition::NoAnswer,
        active: true,
        to: Some("101".to_owned()),
        rings: Some(3),
    };
    assert_eq!(read.unwrap(), wanted);
    let read = forwards(
        "<forwardingType>forwardImmediate</forwardingType><activateForward>false</activateForward>\
         <forwardDN/><ringCount></ringCount>",
    );
    let wanted = Wanted::Forward { condition: Condition::Always, active: false, to: None, rings: None };
    assert_eq!(read.unwrap(), wanted);
}

#[test]
fn another_spelling_of_the_namespace_a_prefix_and_latin_1_make_no_difference() {
    let prefixed = "<c:SetDoNotDisturb xmlns:c=\"http://www.ecmainternational.org/standards/ecma-323/csta/ed3\">\
        <c:doNotDisturbOn>true</c:doNotDisturbOn></c:SetDoNotDisturb>";
    assert_eq!(read(prefixed.as_bytes()).unwrap(), Wanted::DoNotDisturb(true));
    let latin =
        b"<SetDoNotDisturb><device>B\xfcro</device><doNotDisturbOn>true</doNotDisturbOn></SetDoNotDisturb>";
    assert_eq!(read(latin).unwrap(), Wanted::DoNotDisturb(true));
}

#[test]
fn what_says_nothing_is_refused_with_what_is_wrong() {
    let cases = [
        ("<SetDoNotDisturb/>", "no doNotDisturbOn"),
        (
            "<SetDoNotDisturb><doNotDisturbOn>maybe</doNotDisturbOn></SetDoNotDisturb>",
            "doNotDisturbOn says nothing that is known",
        ),
        (
            "<SetDoNotDisturb><doNotDisturbOn>true</doNotDisturbOn><doNotDisturbOn>false</doNotDisturbOn></SetDoNotDisturb>",
            "more than one doNotDisturbOn",
        ),
        ("<SetAgentState/>", "neither SetDoNotDisturb nor SetForwarding"),
    ];
    for (body, wanted) in cases {
        assert_eq!(refused(body), wanted, "{body}");
    }
    let kind = "<forwardingType>forwardBusy</forwardingType>";
    let on = "<activateForward>true</activateForward>";
    let long = "1".repeat(NUMBER_MAX + 1);
    let cases = [
        (on.to_owned(), "no forwardingType"),
        (kind.to_owned(), "no activateForward"),
        (
            format!("<forwardingType>forwardSometimes</forwardingType>{on}"),
            "forwardingType says nothing that is known",
        ),
        (format!("{kind}{on}<ringCount>21</ringCount>"), "ringCount says nothing that is known"),
        (format!("{kind}{on}<ringCount>-1</ringCount>"), "ringCount says nothing that is known"),
        (format!("{kind}{on}<forwardDN>{long}</forwardDN>"), "forwardDN says nothing that is known"),
    ];
    for (fields, wanted) in cases {
        assert_eq!(forwards(&fields).unwrap_err().to_string(), wanted, "{fields}");
    }
}

#[test]
fn hostile_documents_are_refused_before_they_cost_anything() {
    let laughs = "<!DOCTYPE l [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;\">]>\
        <SetDoNotDisturb><doNotDisturbOn>&b;</doNotDisturbOn></SetDoNotDisturb>";
    let deep = format!("{}{}", "<a>".repeat(400), "</a>".repeat(400));
    let flat = format!("<SetDoNotDisturb>{}</SetDoNotDisturb>", "<device/>".repeat(300));
    let truncated = "<SetDoNotDisturb><doNotDisturbOn>tr";
    for body in [laughs, &deep, &flat, truncated, "", "<", "dnd=on", "\0\0\0"] {
        assert!(matches!(read(body.as_bytes()), Err(DocumentError::NotXml(_))), "{body}");
    }
    assert!(matches!(read(&[b' '; DOCUMENT_MAX + 1]), Err(DocumentError::TooLong)));
    let nested =
        "<SetDoNotDisturb><a><b><c><d/></c></b></a><doNotDisturbOn>true</doNotDisturbOn></SetDoNotDisturb>";
    assert!(matches!(read(nested.as_bytes()), Err(DocumentError::TooDeep)));
}

#[test]
fn arbitrary_bytes_never_panic() {
    let whole = format!(
        "<SetForwarding {XMLNS}><forwardingType>forwardBusy</forwardingType><activateForward>true</activateForward><forwardDN>&#x31;01</forwardDN></SetForwarding>"
    );
    for end in 0..whole.len() {
        for byte in [0, b'<', b'&', b'"', 0xff] {
            let mut bytes = whole.as_bytes().to_vec();
            bytes[end] = byte;
            let _read = read(&bytes);
            let _cut = read(&bytes[..end]);
        }
    }
}

#[test]
fn what_phones_are_shown_is_xml_and_nothing_in_it_is_markup() {
    let shown = do_not_disturb(&"1001".into(), true);
    let document = Document::parse(&shown).unwrap();
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "DoNotDisturbEvent");
    assert_eq!(root.tag_name().namespace(), Some(NAMESPACE));
    assert_eq!(text_of(root, "device").unwrap().as_deref(), Some("1001"));
    assert!(flag(root, "doNotDisturbOn").unwrap());
    let name = "büro <&> \u{1}\"night\"";
    let forward = Forward { active: true, to: Some(name.to_owned()), rings: None };
    let shown = forwarding(&"1001".into(), "forwardBusy", &forward);
    assert!(shown.is_ascii(), "{shown}");
    let document = Document::parse(&shown).unwrap();
    let root = document.root_element();
    assert_eq!(text_of(root, "forwardTo").unwrap().unwrap(), "büro <&> \"night\"");
    assert_eq!(text_of(root, "forwardingType").unwrap().as_deref(), Some("forwardBusy"));
    assert_eq!(text_of(root, "ringCount").unwrap(), None);
}
