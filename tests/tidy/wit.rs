//! The WIT's promises: each item is documented and dated, no name breaks a language, no type one toolchain reads otherwise
//! than another, and what is released keeps working.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wit_parser::{
    Docs, Function, FunctionKind, PackageId, Resolve, Stability, Type, TypeDefKind, TypeOwner, WorldId,
    WorldItem,
};

use crate::tree::{Offences, none, root};

/// The world whose compatibility is promised.
const WORLD: &str = "call-policy";

/// Words of C, JavaScript and TypeScript, Python and Rust that cannot be a name there.
const RESERVED: &str = "
abstract alignas alignof and any arguments as assert async auto await become bool boolean box break byte case catch char
class const constexpr constructor continue crate debugger def default del delete do double dyn elif else enum eval except
export extends extern false final finally float fn for from func gen global goto if impl implements import in inline
instanceof int interface is lambda let long loop macro match mod move mut native new nonlocal not null nullptr or
override package pass priv private protected pub public raise ref register restrict return self short signed sizeof
static string struct super switch synchronized this thread-local throw throws trait transient true try type typedef typeof
typeof-unqual undefined union unsafe unsigned unsized use using var virtual void volatile where while with yield
";

/// A package read from a folder.
struct Package {
    resolve: Resolve,
    id: PackageId,
}

impl Package {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut resolve = Resolve::default();
        let (id, _) = resolve.push_dir(folder)?;
        Ok(Self { resolve, id })
    }

    #[cfg(test)]
    fn of(text: &str) -> Self {
        let mut resolve = Resolve::default();
        let id = resolve.push_str("planted.wit", text).unwrap();
        Self { resolve, id }
    }

    fn world(&self) -> anyhow::Result<WorldId> {
        self.resolve.select_world(&[self.id], Some(WORLD))
    }
}

/// One named thing of a package and what is said of it.
struct Item<'a> {
    name: String,
    said: Option<(&'a Docs, &'a Stability)>,
    /// Names as the languages see them, the item's own last.
    words: Vec<&'a str>,
    types: Vec<Type>,
}

/// Everything that has a name in a package, documented or not.
fn items(package: &Package) -> Vec<Item<'_>> {
    let resolve = &package.resolve;
    let mut items = Vec::new();
    for (name, id) in &resolve.packages[package.id].interfaces {
        let interface = &resolve.interfaces[*id];
        let said = Some((&interface.docs, &interface.stability));
        items.push(Item { name: name.clone(), said, words: vec![name.as_str()], types: Vec::new() });
        items.extend(interface.types.iter().filter_map(|(word, id)| type_item(resolve, name, word, *id)));
        items.extend(interface.functions.values().map(|function| function_item(name, function)));
    }
    for (name, id) in &resolve.packages[package.id].worlds {
        let world = &resolve.worlds[*id];
        let said = Some((&world.docs, &world.stability));
        items.push(Item { name: name.clone(), said, words: vec![name.as_str()], types: Vec::new() });
        for item in world.imports.values().chain(world.exports.values()) {
            match item {
                WorldItem::Function(function) => items.push(function_item(name, function)),
                WorldItem::Interface { .. } | WorldItem::Type { .. } => {}
            }
        }
    }
    items
}

fn type_item<'a>(
    resolve: &'a Resolve,
    interface: &str,
    word: &'a str,
    id: wit_parser::TypeId,
) -> Option<Item<'a>> {
    let definition = &resolve.types[id];
    let mut words: Vec<&str> = Vec::new();
    let mut types = Vec::new();
    match &definition.kind {
        TypeDefKind::Record(record) => {
            words.extend(record.fields.iter().map(|field| field.name.as_str()));
            types.extend(record.fields.iter().map(|field| field.ty));
        }
        TypeDefKind::Variant(variant) => {
            words.extend(variant.cases.iter().map(|case| case.name.as_str()));
            types.extend(variant.cases.iter().filter_map(|case| case.ty));
        }
        TypeDefKind::Enum(cases) => words.extend(cases.cases.iter().map(|case| case.name.as_str())),
        TypeDefKind::Flags(flags) => words.extend(flags.flags.iter().map(|flag| flag.name.as_str())),
        // An alias of another interface's type is said there.
        TypeDefKind::Type(Type::Id(aliased)) if resolve.types[*aliased].owner != definition.owner => {
            return None;
        }
        TypeDefKind::Resource
        | TypeDefKind::Handle(_)
        | TypeDefKind::Tuple(_)
        | TypeDefKind::Option(_)
        | TypeDefKind::Result(_)
        | TypeDefKind::List(_)
        | TypeDefKind::Map(..)
        | TypeDefKind::FixedLengthList(..)
        | TypeDefKind::Future(_)
        | TypeDefKind::Stream(_)
        | TypeDefKind::Type(_)
        | TypeDefKind::Unknown => types.push(Type::Id(id)),
    }
    words.push(word);
    Some(Item {
        name: format!("{interface}.{word}"),
        said: Some((&definition.docs, &definition.stability)),
        words,
        types,
    })
}

fn function_item<'a>(owner: &str, function: &'a Function) -> Item<'a> {
    let mut words: Vec<&str> =
        function.params.iter().map(|it| it.name.as_str()).filter(|it| *it != "self").collect();
    if !matches!(function.kind, FunctionKind::Constructor(_)) {
        words.push(function.item_name());
    }
    let types = function.params.iter().map(|it| it.ty).chain(function.result).collect();
    let said = Some((&function.docs, &function.stability));
    Item { name: format!("{owner}.{}", function.name), said, words, types }
}

fn unsaid(package: &Package) -> Offences {
    let mut offences = Offences::new();
    let version = package.resolve.packages[package.id].name.version.clone();
    for item in items(package) {
        let Some((docs, stability)) = item.said else { continue };
        if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
            offences.push(format!("{}: no `///`", item.name));
        }
        match stability {
            Stability::Stable { since, .. } if version.as_ref().is_some_and(|version| since > version) => {
                offences.push(format!("{}: `@since` {since} is later than the package", item.name));
            }
            Stability::Stable { .. } => {}
            Stability::Unknown | Stability::Unstable { .. } => {
                offences.push(format!("{}: no `@since`", item.name));
            }
        }
    }
    offences
}

fn reserved_names(package: &Package) -> Offences {
    let reserved: BTreeSet<&str> = RESERVED.split_whitespace().collect();
    let mut offences = Offences::new();
    for item in items(package) {
        let bad = item.words.iter().filter(|word| reserved.contains(*word));
        offences.extend(
            bad.map(|word| format!("{}: `{word}` is a reserved word in one of the languages", item.name)),
        );
    }
    offences
}

/// A resource and a function of one name are one name where a language imports both into one scope.
fn twice_named(package: &Package) -> Offences {
    let resolve = &package.resolve;
    let mut offences = Offences::new();
    for id in resolve.packages[package.id].interfaces.values() {
        let interface = &resolve.interfaces[*id];
        let name = interface.name.as_deref().unwrap_or_default();
        let clashing =
            interface.functions.keys().filter(|function| interface.types.contains_key(function.as_str()));
        offences
            .extend(clashing.map(|function| format!("{name}.{function}: a type and a function of one name")));
    }
    offences
}

fn wide_integers(package: &Package) -> Offences {
    let mut offences = Offences::new();
    for item in items(package) {
        if item.types.iter().any(|ty| is_wide(&package.resolve, *ty, &mut BTreeSet::new())) {
            offences
                .push(format!("{}: a 64-bit integer, on which JavaScript's toolchains disagree", item.name));
        }
    }
    offences
}

fn is_wide(resolve: &Resolve, ty: Type, seen: &mut BTreeSet<String>) -> bool {
    let Type::Id(id) = ty else { return matches!(ty, Type::U64 | Type::S64) };
    let definition = &resolve.types[id];
    // A named type of another item is judged where it is defined.
    let named = definition.name.as_ref().filter(|_| definition.owner != TypeOwner::None);
    if named.is_some_and(|name| !seen.insert(name.clone())) {
        return false;
    }
    let mut any = |types: &[Option<Type>]| types.iter().flatten().any(|ty| is_wide(resolve, *ty, seen));
    match &definition.kind {
        TypeDefKind::Type(inner)
        | TypeDefKind::Option(inner)
        | TypeDefKind::List(inner)
        | TypeDefKind::FixedLengthList(inner, _) => any(&[Some(*inner)]),
        TypeDefKind::Map(key, value) => any(&[Some(*key), Some(*value)]),
        TypeDefKind::Result(result) => any(&[result.ok, result.err]),
        TypeDefKind::Future(inner) | TypeDefKind::Stream(inner) => any(&[*inner]),
        TypeDefKind::Tuple(tuple) => tuple.types.iter().any(|ty| is_wide(resolve, *ty, seen)),
        TypeDefKind::Record(record) => record.fields.iter().any(|it| is_wide(resolve, it.ty, seen)),
        TypeDefKind::Variant(variant) => any(&variant.cases.iter().map(|case| case.ty).collect::<Vec<_>>()),
        TypeDefKind::Resource
        | TypeDefKind::Handle(_)
        | TypeDefKind::Flags(_)
        | TypeDefKind::Enum(_)
        | TypeDefKind::Unknown => false,
    }
}

/// Whether a component built against `frozen` runs on a host that offers `present`; an error says what breaks.
fn compatible(frozen: &Path, present: &Path) -> anyhow::Result<()> {
    let old = Package::read(frozen)?;
    let mut new = Package::read(present)?;
    let (was, is) = (&old.resolve.packages[old.id].name, &new.resolve.packages[new.id].name);
    anyhow::ensure!(was.namespace == is.namespace && was.name == is.name, "{was} became {is}");
    let (Some(was), Some(is)) = (was.version.clone(), is.version.clone()) else {
        anyhow::bail!("a package without a version");
    };
    let same_promise = was.major == is.major && (was.major > 0 || was.minor == is.minor);
    if !same_promise {
        return Ok(());
    }
    anyhow::ensure!(was <= is, "{was} is frozen and the present {is} is older");
    let old_world = old.world()?;
    let remap = new.resolve.merge(renamed(old)?)?;
    let old_world = remap.map_world(old_world, Default::default())?;
    let new_world = new.world()?;
    wit_component::semver_check(new.resolve, old_world, new_world)
}

/// Gives a package another version, so that it can stand beside its successor; the comparison ignores versions.
fn renamed(package: Package) -> anyhow::Result<Resolve> {
    let Package { mut resolve, id } = package;
    let mut name = resolve.packages[id].name.clone();
    resolve.package_names.shift_remove(&name);
    name.version = Some("0.0.0-frozen".parse()?);
    resolve.packages[id].name = name.clone();
    resolve.package_names.insert(name, id);
    Ok(resolve)
}

fn frozen() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("wit/frozen")).unwrap();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|it| it.is_dir()).collect();
    folders.sort();
    folders
}

fn broken_promises(frozen: &[PathBuf], present: &Path) -> Offences {
    let broken =
        frozen.iter().filter_map(|folder| compatible(folder, present).err().map(|error| (folder, error)));
    broken.map(|(folder, error)| format!("{}: {error:#}", folder.display())).collect()
}

/// A released version stays as it was, word for word: what joins it is a new version.
fn rewritten(frozen: &[PathBuf], present: &Path) -> Offences {
    let text = |folder: &Path| {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let wit = paths.filter(|path| path.extension().is_some_and(|ending| ending == "wit"));
        wit.map(|path| (path.file_name().unwrap().to_owned(), std::fs::read(path).unwrap()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let name = |folder: &Path| {
        Package::read(folder).map(|package| package.resolve.packages[package.id].name.to_string()).ok()
    };
    let same = frozen.iter().filter(|folder| name(folder) == name(present));
    let changed = same.filter(|folder| text(folder) != text(present));
    changed
        .map(|folder| format!("{}: released, and wit/ has another text for it", folder.display()))
        .collect()
}

fn present() -> Package {
    Package::read(&root().join("wit")).unwrap()
}

#[test]
fn each_item_of_the_wit_is_documented_and_dated() {
    none(&unsaid(&present()));
}

#[test]
fn no_name_of_the_wit_is_a_reserved_word() {
    none(&reserved_names(&present()));
}

#[test]
fn no_type_of_the_wit_shares_its_name_with_a_function() {
    none(&twice_named(&present()));
}

#[test]
fn the_wit_holds_no_64_bit_integers() {
    none(&wide_integers(&present()));
}

#[test]
fn what_is_frozen_still_runs() {
    none(&broken_promises(&frozen(), &root().join("wit")));
}

#[test]
fn a_released_version_keeps_its_text() {
    none(&rewritten(&frozen(), &root().join("wit")));
}

#[test]
fn an_item_without_docs_or_date_is_found() {
    let package = Package::of(
        "package a:b@0.1.0;\n/// I.\n@since(version = 0.1.0)\ninterface i {\n  f: func();\n\
         /// R.\n  @since(version = 0.1.0)\n  resource r { g: func(); }\n}",
    );
    assert_eq!(unsaid(&package).len(), 4);
    let later = Package::of(
        "package a:b@0.1.0;\n/// I.\n@since(version = 0.1.0)\ninterface i {\n\
         /// T.\n  @since(version = 0.1.0)\n  type t = u8;\n}",
    );
    assert!(unsaid(&later).is_empty());
}

#[test]
fn a_reserved_word_is_found_wherever_it_stands() {
    for wrong in [
        "%interface: func();",
        "f: func(default: u8);",
        "record r { class: u8 }",
        "variant v { null, a }",
        "enum e { lambda, a }",
        "resource r { delete: func(); }",
    ] {
        let text = format!("package a:b@0.1.0;\ninterface i {{ {wrong} }}");
        assert_eq!(reserved_names(&Package::of(&text)).len(), 1, "{wrong}");
    }
}

#[test]
fn a_function_named_as_a_resource_is_refused() {
    // The parser refuses it too; the check is for what it lets pass, a type and a function of a name alike.
    let text = "package a:b@0.1.0;\ninterface i { resource leg; leg: func(); }";
    let parsed = Resolve::default().push_str("planted.wit", text);
    assert!(parsed.is_err());
}

#[test]
fn a_64_bit_integer_is_found_inside_other_types() {
    for wrong in ["f: func() -> u64;", "f: func(a: list<option<s64>>);", "record r { a: tuple<u8, u64> }"] {
        let text = format!("package a:b@0.1.0;\ninterface i {{ {wrong} }}");
        assert_eq!(wide_integers(&Package::of(&text)).len(), 1, "{wrong}");
    }
}

/// A copy of `wit/` in which one text stands for another.
fn edited(from: &str, to: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut edits = 0;
    for entry in std::fs::read_dir(root().join("wit")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "wit") {
            let text = std::fs::read_to_string(&path).unwrap();
            edits += text.matches(from).count();
            std::fs::write(copy.path().join(path.file_name().unwrap()), text.replacen(from, to, 1)).unwrap();
        }
    }
    assert!(edits > 0, "`{from}` is no longer in wit/: choose another edit");
    copy
}

#[test]
fn a_breaking_edit_of_a_frozen_package_is_refused() {
    let frozen = [root().join("wit")];
    for (from, to) in [
        ("handle-call: func(call: borrow<call>)", "handle-call: func(call: borrow<call>, again: bool)"),
        ("    caller-gone,\n", ""),
        ("elapsed-ms: func() -> u32", "elapsed-ms: func() -> f64"),
        ("find-place:", "look-up-place:"),
    ] {
        let edited = edited(from, to);
        assert_eq!(broken_promises(&frozen, edited.path()).len(), 1, "{from} -> {to}");
    }
}

#[test]
fn an_addition_to_a_frozen_package_passes() {
    let frozen = [root().join("wit")];
    let text = "/// Whether there is one.\n  @since(version = 0.1.0)\n  has-place: func(name: string) -> bool;\n\n  ";
    let added = edited("/// ", "/// ");
    none(&broken_promises(&frozen, added.path()));
    let directory = std::fs::read_to_string(added.path().join("directory.wit")).unwrap();
    let at = directory.rfind('}').unwrap();
    std::fs::write(added.path().join("directory.wit"), format!("{}{text}}}\n", &directory[..at])).unwrap();
    none(&broken_promises(&frozen, added.path()));
}

#[test]
fn a_released_version_with_another_text_is_found() {
    let frozen = [root().join("wit")];
    assert_eq!(rewritten(&frozen, edited("caller-gone", "caller-left").path()).len(), 1);
    none(&rewritten(&frozen, edited("rules@0.1.0", "rules@0.1.1").path()));
    none(&rewritten(&frozen, edited("caller-gone", "caller-gone").path()));
}

#[test]
fn an_incompatible_version_promises_nothing() {
    let next = edited("rules@0.1.0", "rules@0.2.0");
    let broken = next.path().join("budget.wit");
    let text = std::fs::read_to_string(&broken).unwrap();
    std::fs::write(&broken, text.replace("u32", "f64")).unwrap();
    none(&broken_promises(&[root().join("wit")], next.path()));
    let older = edited("rules@0.1.0", "rules@0.1.0-early");
    assert_eq!(broken_promises(&[root().join("wit")], older.path()).len(), 1);
}
