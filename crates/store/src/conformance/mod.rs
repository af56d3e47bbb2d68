//! The suite that every engine must pass: each documented sentence of [`Accounts`](crate::Accounts),
//! [`Channels`](crate::Channels) and [`Blobs`](crate::Blobs), run against an empty engine. What they have in common
//! ([`Tokens`](crate::Tokens)) is run for each.
//!
//! ```text
//! mod memory {
//!     undertone_store::accounts_conformance!((MemoryAccounts::default(), ()));
//! }
//! ```
//! The expression opens a fresh engine, and whatever must live as long as it does.

// A failed assertion is what a suite is for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

pub mod accounts;
pub mod appends;
pub mod blobs;
pub mod channels;
pub mod devices;
pub mod directory;
pub mod generations;
pub mod groups;
pub mod inboxes;
pub mod issued;
pub mod key_packages;
pub mod profiles;
pub mod tokens;
pub mod values;
pub mod vaults;

use std::sync::Arc;

use tokio::task::JoinSet;
use undertone_wire::Day;

/// The day on which the suite plays.
pub const TODAY: Day = Day(20_800);

/// Runs one future for each number at once, and gives their outputs in any order.
async fn at_once<F>(count: u8, each: impl Fn(u8) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut running: JoinSet<_> = (0..count).map(each).collect();
    let mut outputs = Vec::new();
    while let Some(output) = running.join_next().await {
        outputs.push(output.unwrap());
    }
    outputs
}

/// The tests of [`Accounts`](crate::Accounts), for an expression that gives `(engine, guard)`.
#[macro_export]
macro_rules! accounts_conformance {
    ($open:expr) => {
        $crate::conformance_tests! { $open;
            accounts::an_account_is_created_once
            accounts::an_invite_makes_as_many_accounts_as_it_says
            accounts::a_registration_without_a_good_invite_leaves_nothing
            accounts::an_invite_is_used_once_under_concurrency
            accounts::an_invite_added_again_changes_nothing
            accounts::invites_expire
            accounts::the_day_last_seen_moves_forward_only
            accounts::device_lists_only_move_up
            accounts::device_lists_follow_the_one_that_is_held
            accounts::counters_have_all_their_bits
            accounts::inbox_keys_do_not_go_back_a_week
            accounts::a_new_identity_makes_room_for_its_inbox_key
            accounts::accounts_are_counted
            devices::a_device_says_what_it_said_the_last_time
            devices::a_copy_is_not_seen
            devices::of_many_copies_one_comes_first
            devices::a_letter_goes_when_all_devices_have_read_it
            devices::a_new_device_has_read_nothing
            devices::with_a_device_goes_what_is_kept_for_it
            devices::the_same_number_with_another_key_is_another_device
            devices::a_list_again_or_refused_changes_no_device
            profiles::a_profile_is_replaced_by_the_next_revision
            profiles::a_profile_can_be_taken_away
            profiles::nobody_has_no_profile
            profiles::one_of_many_profiles_wins
            issued::as_many_batches_are_issued_as_a_week_has
            issued::the_same_batch_counts_once
            issued::who_is_suspended_is_issued_none
            issued::old_weeks_are_forgotten
            issued::nobody_is_issued_none
            issued::a_budget_holds_under_concurrency
            directory::an_account_is_listed_and_not_any_more
            directory::who_is_listed_has_time_to_stay
            directory::who_waits_and_does_not_come_has_not_waited
            directory::a_place_is_given_up
            directory::listings_of_an_account_are_few
            directory::listings_are_read_in_pages
            directory::changes_are_told_by_the_day
            directory::elements_are_made_anew_by_another_key
            directory::lookups_are_some_at_once_and_some_a_day
            directory::of_many_who_come_first_one_does
            values::all_that_is_kept_is_published
            values::pages_have_no_gap
            values::nobody_has_nothing_to_publish
            tokens::a_token_is_spent_on_one_request
            tokens::tokens_are_spent_together_or_not_at_all
            tokens::weeks_are_apart
            tokens::spent_weeks_are_forgotten
            tokens::of_many_requests_one_gets_the_token
            vaults::a_vault_is_replaced_by_the_next_revision
            vaults::nobody_has_no_vault
            vaults::one_of_many_vaults_wins
            vaults::an_account_is_found_by_its_recovery_key
            vaults::a_recovery_key_has_one_account
            vaults::what_is_deleted_leaves_nothing
            key_packages::one_of_each_device_in_order_then_the_last_resort
            key_packages::a_last_resort_stays_until_it_is_replaced
            key_packages::what_is_beyond_the_limit_is_left_out
            key_packages::the_same_bytes_are_kept_once
            key_packages::what_waits_is_replaced
            key_packages::what_was_handed_out_is_not_taken_again
            key_packages::as_many_are_remembered_as_promised
            key_packages::a_reserve_is_kept_back
            key_packages::one_is_handed_out_once_under_concurrency
            inboxes::letters_come_in_order_and_in_pages
            inboxes::a_letter_again_is_delivered_once
            inboxes::an_id_is_used_with_the_same_bytes_only
            inboxes::a_full_inbox_takes_no_more_until_it_is_cleared
            inboxes::what_is_cleared_is_gone_and_its_numbers_too
            inboxes::letters_expire_with_their_day
            inboxes::concurrent_letters_get_numbers_without_a_gap
            inboxes::nobody_has_no_inbox
        }
    };
}

/// The tests of [`Channels`](crate::Channels), for an expression that gives `(engine, guard)`.
#[macro_export]
macro_rules! channels_conformance {
    ($open:expr) => {
        $crate::conformance_tests! { $open;
            channels::a_channel_starts_empty
            channels::a_channel_is_created_once
            channels::nobody_has_no_log
            channels::entries_are_read_back_and_make_the_chain
            channels::pages_have_no_gap
            channels::an_expired_body_leaves_its_digest_in_an_unbroken_chain
            channels::what_has_expired_is_not_served_even_before_it_is_dropped
            channels::day_zero_never_comes
            channels::unused_channels_are_forgotten
            channels::channels_are_counted
            appends::a_commit_moves_the_position_and_nothing_else_does
            appends::an_entry_for_another_position_is_stale
            appends::entries_after_a_commit_are_made_for_the_next_epoch
            appends::a_batch_stands_whole_or_not_at_all
            appends::nothing_to_append_changes_nothing
            appends::an_entry_without_a_body_is_not_applied
            appends::a_retry_returns_the_first_result_whatever_came_after
            appends::an_id_stands_for_one_content
            appends::the_scope_of_an_id_is_channel_and_expiry_day
            appends::a_batch_is_known_only_as_it_stands
            appends::an_id_twice_in_a_batch_is_a_conflict
            appends::ids_are_forgotten_with_their_partition
            appends::a_channel_holds_so_many_bytes
            appends::expiry_makes_room
            appends::concurrent_appends_get_numbers_without_a_gap
            appends::one_of_many_commits_wins
            appends::the_same_bytes_at_once_stand_once
            generations::a_commit_that_installs_keys_begins_the_next_generation
            generations::each_ended_generation_keeps_its_read_key_and_its_end
            generations::only_the_current_generation_appends
            generations::a_retry_is_found_whatever_generation_it_is
            generations::keys_belong_to_what_an_id_stands_for
            generations::keys_stay_when_the_body_has_expired
            generations::a_restart_begins_the_next_incarnation
            generations::one_of_many_generations_wins
            groups::a_record_is_replaced_by_the_next_revision
            groups::a_change_stands_with_its_record_or_not_at_all
            groups::a_head_slot_is_of_the_position_after_its_commit
            groups::signatures_and_hashes_are_served_and_chained
            groups::nobody_has_no_record
            groups::one_of_many_changes_wins
            tokens::a_token_is_spent_on_one_request
            tokens::tokens_are_spent_together_or_not_at_all
            tokens::weeks_are_apart
            tokens::spent_weeks_are_forgotten
            tokens::of_many_requests_one_gets_the_token
        }
    };
}

/// The tests of [`Blobs`](crate::Blobs), for an expression that gives `(engine, guard)`.
#[macro_export]
macro_rules! blobs_conformance {
    ($open:expr) => {
        $crate::conformance_tests! { $open;
            blobs::parts_are_put_in_order_and_read_back
            blobs::what_is_begun_again_says_how_far_it_has_come
            blobs::a_part_never_changes
            blobs::what_was_not_begun_has_no_parts
            blobs::blobs_expire_with_their_day
            blobs::all_together_take_up_so_many_bytes
            blobs::one_of_many_parts_wins
            tokens::a_token_is_spent_on_one_request
            tokens::tokens_are_spent_together_or_not_at_all
            tokens::weeks_are_apart
            tokens::spent_weeks_are_forgotten
            tokens::of_many_requests_one_gets_the_token
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($open:expr; $($module:ident :: $case:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (engine, _guard) = $open;
            $crate::conformance::$module::$case(std::sync::Arc::new(engine)).await;
        }
    )*};
}

/// Every engine under test, as a case gets it.
type Engine<E> = Arc<E>;

#[cfg(test)]
mod tests {
    /// A case that stands in no list is never run.
    #[test]
    fn every_case_is_listed() {
        let lists = include_str!("mod.rs");
        for (module, source) in [
            ("accounts", include_str!("accounts.rs")),
            ("appends", include_str!("appends.rs")),
            ("blobs", include_str!("blobs.rs")),
            ("channels", include_str!("channels.rs")),
            ("devices", include_str!("devices.rs")),
            ("generations", include_str!("generations.rs")),
            ("groups", include_str!("groups.rs")),
            ("inboxes", include_str!("inboxes.rs")),
            ("issued", include_str!("issued.rs")),
            ("key_packages", include_str!("key_packages.rs")),
            ("profiles", include_str!("profiles.rs")),
            ("tokens", include_str!("tokens.rs")),
            ("values", include_str!("values.rs")),
            ("vaults", include_str!("vaults.rs")),
        ] {
            let cases = source.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('<').next());
            for case in cases {
                assert!(lists.contains(&format!("{module}::{case}\n")), "{module}::{case}");
            }
        }
    }
}
