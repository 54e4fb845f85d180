//! What a component is made of: sizes and counts that bound what it costs to compile.

use std::collections::BTreeMap;

use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::TypesRef;
use wasmparser::{
    FunctionBody, MemorySectionReader, Operator, Parser, Payload, TableSectionReader, Validator, WasmFeatures,
};

use super::{COMPONENT_BYTES_MAX, Problem};
use crate::limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, RunLimits, TABLES_MAX};

/// What a module may use: what the engine runs, without threads, garbage collection, exceptions and 64-bit memories.
const FEATURES: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::COMPONENT_MODEL);

const PAGE_BYTES: u64 = 65_536;

/// The most there may be of something, and what it is.
struct Bound {
    what: &'static str,
    max: u64,
}

const FUNCTION_BYTES: Bound = Bound { what: "bytes in one function", max: 256 * 1024 };
const LOCALS: Bound = Bound { what: "locals in one function", max: 2_000 };
const TARGETS: Bound = Bound { what: "branch targets in the tables of one function", max: 4_000 };
const NESTING: Bound = Bound { what: "nested blocks in one function", max: 1_000 };
const FUNCTIONS: Bound = Bound { what: "functions", max: 50_000 };
const TYPES: Bound = Bound { what: "types", max: 10_000 };
const DATA_SEGMENTS: Bound = Bound { what: "data segments", max: 10_000 };
const ELEMENT_SEGMENTS: Bound = Bound { what: "element segments", max: 10_000 };
const IMPORTS: Bound = Bound { what: "imports", max: 1_000 };
const EXPORTS: Bound = Bound { what: "exports", max: 1_000 };
const GLOBALS: Bound = Bound { what: "globals", max: 1_000 };
const MODULES: Bound = Bound { what: "core modules", max: 16 };
const COMPONENTS: Bound = Bound { what: "nested components", max: 8 };
const DEPTH: Bound = Bound { what: "levels of nesting", max: 4 };
const INSTANCES: Bound = Bound { what: "core instances", max: CORE_INSTANCES_MAX as u64 };
const MEMORIES: Bound = Bound { what: "memories", max: MEMORIES_MAX as u64 };
const TABLES: Bound = Bound { what: "tables", max: TABLES_MAX as u64 };
const CUSTOM_BYTES: Bound = Bound { what: "bytes in custom sections", max: 1024 * 1024 };

/// What a component asks for and gives.
pub(super) struct Shape {
    /// Interfaces, with the functions of each that are imported.
    pub(super) imports: BTreeMap<String, Vec<String>>,
    /// Functions.
    pub(super) exports: Vec<String>,
}

/// Looks at an upload; none when it is too broken to say what it imports.
pub(super) fn inspect(bytes: &[u8], problems: &mut Vec<Problem>) -> Option<Shape> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        let what =
            format!("has {} bytes, the most is {COMPONENT_BYTES_MAX}; strip debug information", bytes.len());
        problems.push(Problem::component(what));
        return None;
    }
    let is_component = Parser::is_component(bytes);
    if !is_component && !Parser::is_core_wasm(bytes) {
        problems.push(Problem::component(not_wasm(bytes)));
        return None;
    }
    // Counting comes first: validating reads what the counts bound.
    let mut counts = Counts::default();
    match counts.walk(bytes) {
        Ok(()) => problems.extend(counts.over()),
        Err(error) => {
            problems.push(invalid(&error));
            return None;
        }
    }
    if !problems.is_empty() {
        return None;
    }
    match Validator::new_with_features(FEATURES).validate_all(bytes) {
        Ok(types) if is_component => Some(component_shape(counts, types.as_ref())),
        Ok(_) => Some(counts.module_shape()),
        Err(error) => {
            problems.push(invalid(&error));
            None
        }
    }
}

fn not_wasm(bytes: &[u8]) -> String {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.is_empty() {
        return "is empty".to_owned();
    }
    if begins(b"\x7fELF") {
        return "is native code or a precompiled artefact; send the component itself, the switch compiles it"
            .to_owned();
    }
    if begins(b"(module") || begins(b"(component") {
        return "is WebAssembly text; send the binary form".to_owned();
    }
    "is no WebAssembly component".to_owned()
}

fn invalid(error: &wasmparser::BinaryReaderError) -> Problem {
    Problem::component(format!("is not valid: {} (at byte {:#x})", error.message(), error.offset()))
}

/// What is counted on the way through all nested modules and components.
#[derive(Default)]
struct Counts {
    totals: BTreeMap<&'static str, (u64, u64)>,
    problems: Vec<Problem>,
    depth: u64,
    functions: u64,
    memory_bytes: u64,
    table_elements: u64,
    /// Of the outermost module or component.
    import_names: Vec<(String, String)>,
    export_names: Vec<String>,
}

impl Counts {
    fn walk(&mut self, bytes: &[u8]) -> wasmparser::Result<()> {
        for payload in Parser::new(0).parse_all(bytes) {
            self.see(payload?)?;
        }
        Ok(())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "another crate's enum: the rest is counted in `see_rest`"
    )]
    fn see(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::Version { .. } => {
                self.depth += 1;
                self.most(&DEPTH, self.depth);
            }
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::TypeSection(section) => self.add(&TYPES, section.count()),
            Payload::CoreTypeSection(section) => self.add(&TYPES, section.count()),
            Payload::ComponentTypeSection(section) => self.add(&TYPES, section.count()),
            Payload::ImportSection(section) => {
                self.add(&IMPORTS, section.count());
                if self.depth == 1 {
                    for import in section.into_imports() {
                        let import = import?;
                        self.import_names.push((import.module.to_owned(), import.name.to_owned()));
                    }
                }
            }
            Payload::ComponentImportSection(section) => {
                self.add(&IMPORTS, section.count());
                if self.depth == 1 {
                    for import in section {
                        self.import_names.push((import?.name.name.to_owned(), String::new()));
                    }
                }
            }
            Payload::ExportSection(section) => {
                self.add(&EXPORTS, section.count());
                if self.depth == 1 {
                    for export in section {
                        self.export_names.push(export?.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                self.add(&EXPORTS, section.count());
                if self.depth == 1 {
                    for export in section {
                        self.export_names.push(export?.name.name.to_owned());
                    }
                }
            }
            other => self.see_rest(other)?,
        }
        Ok(())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "another crate's enum, and what is not named here costs nothing"
    )]
    fn see_rest(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::FunctionSection(section) => self.add(&FUNCTIONS, section.count()),
            Payload::TableSection(section) => self.tables(section)?,
            Payload::MemorySection(section) => self.memories(section)?,
            Payload::GlobalSection(section) => self.add(&GLOBALS, section.count()),
            Payload::ElementSection(section) => self.add(&ELEMENT_SEGMENTS, section.count()),
            Payload::DataSection(section) => self.add(&DATA_SEGMENTS, section.count()),
            Payload::CodeSectionEntry(body) => self.body(&body)?,
            Payload::ModuleSection { .. } => self.add(&MODULES, 1),
            Payload::ComponentSection { .. } => self.add(&COMPONENTS, 1),
            Payload::InstanceSection(section) => self.add(&INSTANCES, section.count()),
            Payload::CustomSection(section) => {
                self.add(&CUSTOM_BYTES, u32::try_from(section.data().len()).unwrap_or(u32::MAX));
            }
            _ => {}
        }
        Ok(())
    }

    fn memories(&mut self, section: MemorySectionReader<'_>) -> wasmparser::Result<()> {
        self.add(&MEMORIES, section.count());
        for memory in section {
            let bytes = memory?.initial.saturating_mul(PAGE_BYTES);
            self.memory_bytes = self.memory_bytes.saturating_add(bytes);
        }
        Ok(())
    }

    fn tables(&mut self, section: TableSectionReader<'_>) -> wasmparser::Result<()> {
        self.add(&TABLES, section.count());
        for table in section {
            self.table_elements = self.table_elements.saturating_add(table?.ty.initial);
        }
        Ok(())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "another crate's enum: only what opens or closes a block counts"
    )]
    fn body(&mut self, body: &FunctionBody<'_>) -> wasmparser::Result<()> {
        self.functions += 1;
        self.most(&FUNCTION_BYTES, body.as_bytes().len() as u64);
        let mut locals = 0_u64;
        for group in body.get_locals_reader()? {
            locals = locals.saturating_add(group?.0.into());
        }
        self.most(&LOCALS, locals);
        let (mut nesting, mut deepest, mut targets) = (0_u64, 0_u64, 0_u64);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            match operators.read()? {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    nesting += 1;
                    deepest = deepest.max(nesting);
                }
                Operator::End => nesting = nesting.saturating_sub(1),
                Operator::BrTable { targets: table } => targets = targets.saturating_add(table.len().into()),
                _ => {}
            }
        }
        self.most(&NESTING, deepest);
        self.most(&TARGETS, targets);
        Ok(())
    }

    /// Adds to a total.
    fn add(&mut self, bound: &Bound, count: u32) {
        let total = self.totals.entry(bound.what).or_insert((0, bound.max));
        total.0 = total.0.saturating_add(count.into());
    }

    /// Keeps the greatest of something that counts for each function or level alone.
    fn most(&mut self, bound: &Bound, count: u64) {
        let total = self.totals.entry(bound.what).or_insert((0, bound.max));
        total.0 = total.0.max(count);
    }

    /// Every bound that is exceeded.
    fn over(&mut self) -> Vec<Problem> {
        let limits = RunLimits::default();
        self.totals.insert("bytes of memory at the start", (self.memory_bytes, limits.memory_bytes as u64));
        self.totals
            .insert("table elements at the start", (self.table_elements, limits.table_elements as u64));
        let over = self.totals.iter().filter(|(_, (count, max))| count > max);
        let named = over
            .map(|(what, (count, max))| Problem::component(format!("has {count} {what}, the most is {max}")));
        self.problems.extend(named);
        std::mem::take(&mut self.problems)
    }

    fn module_shape(self) -> Shape {
        let mut imports = BTreeMap::<String, Vec<String>>::new();
        for (module, name) in self.import_names {
            imports.entry(module).or_default().push(name);
        }
        Shape { imports, exports: self.export_names }
    }
}

/// What a valid component imports: of each instance its functions, and whatever else is no type by its name alone.
fn component_shape(counts: Counts, types: TypesRef<'_>) -> Shape {
    let mut imports = BTreeMap::new();
    for (name, _) in counts.import_names {
        let functions = match types.component_item_for_import(&name).map(|item| item.ty) {
            Some(ComponentEntityType::Instance(instance)) => {
                let exports = types[instance].exports.iter();
                let functions = exports.filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)));
                functions.map(|(name, _)| name.clone()).collect()
            }
            // A type is no right: the world's `use` makes one, and linking compares it.
            Some(ComponentEntityType::Type { .. }) => continue,
            Some(
                ComponentEntityType::Module(_)
                | ComponentEntityType::Func(_)
                | ComponentEntityType::Value(_)
                | ComponentEntityType::Component(_),
            )
            | None => Vec::new(),
        };
        imports.insert(name, functions);
    }
    Shape { imports, exports: counts.export_names }
}
