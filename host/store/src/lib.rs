//! What must survive: changes, records, journals, modules.
