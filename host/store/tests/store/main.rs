//! What every store promises, held to the one in memory and the one on disk alike; then what the disk adds.

#[cfg(test)]
mod disk;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod events;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod made;
#[cfg(test)]
mod promises;

macro_rules! held_by_both {
    ($($promise:ident,)*) => {
        mod memory {
            $(#[test]
            fn $promise() {
                let store: std::sync::Arc<dyn callwright_store::Store> = std::sync::Arc::new(callwright_store::Memory::new());
                crate::promises::$promise(&store);
            })*
        }

        mod sqlite {
            $(#[test]
            fn $promise() {
                let folder = tempfile::tempdir().unwrap();
                let store = callwright_store::Sqlite::open(&folder.path().join("callwright.db")).unwrap();
                let store: std::sync::Arc<dyn callwright_store::Store> = std::sync::Arc::new(store);
                crate::promises::$promise(&store);
            })*
        }
    };
}

held_by_both! {
    a_binding_comes_back_as_it_was,
    a_refreshed_binding_replaces_the_old_one,
    an_ended_binding_does_not_come_back,
    how_a_device_lost_its_last_binding_is_remembered,
    what_ended_while_the_node_was_down_is_remembered,
    what_rules_keep_comes_back_until_it_is_over,
    a_group_is_all_or_none_and_leaves_the_others,
    a_record_comes_back_as_it_was_and_twice_is_once,
    a_call_without_a_run_has_an_empty_journal,
    a_call_is_found_by_a_beginning_that_fits_no_other,
    records_are_listed_newest_first_in_pages,
    a_list_shows_what_the_filter_asks_for,
    a_tenant_sees_nothing_of_another,
    the_newest_calls_come_back_in_their_order,
    pruning_takes_the_old_and_what_is_too_many,
    pruning_goes_in_bounded_steps,
    versions_are_listed_last_uploaded_first,
    new_settings_wait_for_the_next_activation,
    rolling_back_twice_goes_back_two_steps,
    a_rule_that_is_switched_off_stays_off_until_somebody_activates_it,
    only_what_is_active_is_withdrawn,
    an_unusable_version_is_never_made_active,
    versions_and_history_are_bounded,
    a_document_comes_back_as_it_was_kept,
    whoever_gets_the_name_of_somebody_who_is_gone_gets_nothing_else_of_theirs,
    edits_are_all_or_none,
    a_draft_is_beside_what_is_live_until_it_is_saved_or_discarded,
    what_was_before_a_temporary_change_comes_back,
    documents_are_listed_by_kind_and_name_in_pages,
    the_audit_log_says_who_changed_what_and_when_and_no_secret,
    documents_of_a_tenant_are_seen_by_that_tenant_alone,
    events_come_in_their_order_from_where_one_has_read,
    events_about_a_person_are_found_among_all,
    the_oldest_events_are_forgotten,
    a_token_is_known_by_its_hash_until_it_is_revoked,
    the_first_host_key_stays,
    the_writer_answers_each_ticket_in_order,
}
