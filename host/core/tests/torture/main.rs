//! What a node does with messages nobody here wrote: the torture tests of RFC 4475 and RFC 5118, where they lie beside the
//! repository, each with the verdict it deserves.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod verdicts;

#[cfg(test)]
mod tests {
    use super::bench::{Bench, From, Seen};
    use super::verdicts::{IN_A_STREAM, VERDICTS, Verdict};
    use std::path::Path;

    /// A message of a corpus, its verdict, and why.
    struct Case {
        file: &'static str,
        bytes: Vec<u8>,
        verdict: Verdict,
        why: &'static str,
    }

    /// Every message of both corpora. The table and the folders hold the same names, or the folders are not there.
    fn cases() -> Vec<Case> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
        if !beside.is_dir() {
            println!("the corpora are not beside the repository: nothing was checked against them");
            return Vec::new();
        }
        let mut found: Vec<String> = Vec::new();
        for folder in ["rfc4475", "rfc5118"] {
            let files = std::fs::read_dir(beside.join(folder)).unwrap();
            let name = |file: std::fs::DirEntry| file.file_name().into_string().unwrap();
            found.extend(files.map(|file| format!("{folder}/{}", name(file.unwrap()))));
        }
        found.sort();
        let mut judged: Vec<_> = VERDICTS.iter().map(|(file, ..)| (*file).to_owned()).collect();
        judged.sort();
        assert_eq!(found, judged, "messages without a verdict, or verdicts without a message");
        let read = |(file, verdict, why): &(&'static str, Verdict, &'static str)| Case {
            file,
            bytes: std::fs::read(beside.join(file)).unwrap(),
            verdict: *verdict,
            why,
        };
        VERDICTS.iter().map(read).collect()
    }

    /// What each message did, where that is not its verdict.
    fn wrong(cases: &[Case], from: From) -> Vec<String> {
        let mut wrong = Vec::new();
        for case in cases {
            let mut bench = Bench::new();
            let seen = bench.receive(from, &case.bytes);
            let wanted = Seen::wanted(case.verdict, from);
            if seen != wanted {
                wrong.push(format!("{}: {seen:?}, not {wanted:?}: {}", case.file, case.why));
            }
        }
        wrong
    }

    #[test]
    fn every_torture_message_has_its_verdict() {
        // spec: RFC 4475 §3
        assert_eq!(wrong(&cases(), From::Believed), [""; 0]);
    }

    #[test]
    fn a_stranger_is_challenged_for_what_others_may_do_and_else_hears_the_same() {
        // spec: RFC 3261 §22.1
        assert_eq!(wrong(&cases(), From::Stranger), [""; 0]);
    }

    #[test]
    fn in_a_stream_a_message_without_a_length_to_believe_ends_the_stream() {
        // spec: RFC 3261 §18.3
        let mut cases = cases();
        for case in &mut cases {
            if let Some((_, verdict, why)) = IN_A_STREAM.iter().find(|(file, ..)| *file == case.file) {
                (case.verdict, case.why) = (*verdict, why);
            }
        }
        assert_eq!(wrong(&cases, From::Stream), [""; 0]);
    }

    #[test]
    fn a_node_that_has_met_them_all_holds_nothing_of_them() {
        let mut bench = Bench::new();
        for case in cases() {
            for from in [From::Believed, From::Stranger, From::Stream] {
                bench.receive(from, &case.bytes);
            }
        }
        bench.pass_minutes(10);
        assert_eq!(bench.left_over(), (0, 0), "calls and transactions");
    }
}
