-- Gives: what is delivered, by name: tables, views, functions, types, policies, triggers.
-- Keeps: written by npm run regenerate out of what the other chapters make; they alone decide it.
-- Needs: every chapter before; when called: deployed, repair, trial, checks, verify deployment, privileges.

create function credits.delivered_objects()
returns table (kind text, identity text)
language sql
immutable
set search_path = '', pg_temp
as $$
  select v.kind, replace(o.identity, E'\n', '') from (values
('function', $list$
credits.account_chain(public.credit_accounts,public.credit_ledger_checkpoints);
credits.account_discrepancies(public.credit_accounts,public.credit_ledger_checkpoints);
credits.account_expire(uuid); credits.account_freeze(uuid); credits.account_lock(uuid);
credits.account_opened(); credits.account_refill(uuid,timestamp with time zone);
credits.account_refill_due(uuid); credits.account_rejoined(); credits.account_reopened();
credits.account_state(uuid); credits.account_things(uuid,bigint,bigint); credits.account_version_raise();
credits.account_version_touch(); credits.accounts_lock(uuid[]);
credits.accounts_refill(uuid[],date,timestamp with time zone); credits.action_append(public.operator_actions);
credits.action_chain(uuid); credits.action_hash(bytea,public.operator_actions);
credits.action_title(public.operator_actions); credits.actions_are_append_only();
credits.actions_refuse_change(); credits.address_hash(text); credits.addresses_note(jsonb);
credits.alert_announce(text,public.credit_alerts); credits.alert_remedies();
credits.anomaly_account_pattern(numeric,timestamp with time zone);
credits.anomaly_denials(text,integer,numeric,timestamp with time zone);
credits.anomaly_impossible_rate(numeric,timestamp with time zone); credits.anomaly_negative_balance(numeric);
credits.anomaly_refund_farming(numeric,timestamp with time zone);
credits.anomaly_unrequested(numeric,timestamp with time zone);
credits.app_key_denial(public.credit_app_keys,text,bigint);
credits.app_key_spend(uuid,uuid,bigint,timestamp with time zone); credits.app_key_state(public.credit_app_keys);
credits.app_keys_check(uuid,uuid); credits.approval_answer(public.operator_approvals,boolean);
credits.approval_asker(public.operator_approvals,public.credit_operators);
credits.approval_decide(public.operator_approvals,uuid,text,credits.operator_request,jsonb);
credits.approval_lock(uuid,public.credit_operators); credits.archive_account(uuid,bigint,bigint);
credits.archive_discrepancies(public.credit_accounts);
credits.archive_end(uuid,timestamp with time zone,bigint,bigint);
credits.ask_after(integer,timestamp with time zone,timestamp with time zone); credits.auditor_create();
credits.balance_announce(uuid,bigint,bigint,bigint); credits.balance_broadcast();
credits.balance_event(bigint,bigint,bigint); credits.balance_with_due(public.credit_accounts);
credits.batch_check(jsonb); credits.batch_expire(uuid[],bigint[]);
credits.batch_refill(uuid[],timestamp with time zone);
credits.batch_undone(public.credit_charge_result,uuid,text,text); credits.become_router(text);
credits.become_shard(text,integer[]); credits.book_of(public.credit_entry_kind); credits.broadcast_follows();
credits.broadcast_policy(); credits.broadcast_set_up(); credits.broadcast_statements();
credits.burn(public.credit_accounts,credits.burn_plan,public.credit_entry_kind,uuid,text);
credits.burn_plan(uuid,bigint); credits.callback_result(public.generation_jobs,text);
credits.caller_check(name); credits.can_request_functions();
credits.cancel_at_provider(public.generation_jobs,boolean); credits.cancel_count(uuid);
credits.cap_end(public.credit_grants,timestamp with time zone); credits.cap_seal(bytea); credits.cease_shard();
credits.chain_break(uuid,bigint); credits.chain_extend(credits.movement[]); credits.changed_accounts();
credits.charge_denied(
text,public.credit_charge_result,credits.priced_request,bigint,bigint,integer,uuid,text,text);
credits.charge_overage(public.generation_jobs,bigint);
credits.charge_replayed(public.credit_charge_result,uuid,bytea,uuid,text,text);
credits.charge_with_key(uuid,uuid,uuid,text,jsonb,text,text,boolean,boolean); credits.check_books();
credits.check_broadcast(); credits.check_defaults(); credits.check_equal(text,text,text,text);
credits.check_functions(); credits.check_installation(); credits.check_ledger();
credits.check_length(text,text,integer,integer); credits.check_models(); credits.check_none(text,text[],text);
credits.check_schedule(); credits.check_shard(); credits.check_storage(); credits.check_success_rate();
credits.check_tables(); credits.check_trial(); credits.checkout_denied(public.payment_checkout,text);
credits.checkpoint_is_kept(uuid); credits.checkpoint_set(public.credit_accounts); credits.checkpoint_zero(uuid);
credits.choice_error(jsonb,text[]); credits.clock_bound(); credits.closing_note(uuid);
credits.count_discrepancies(public.credit_accounts); credits.credit_limit_changed();
credits.credit_limit_lower(public.credit_accounts); credits.credit_limit_reduce(uuid,bigint);
credits.cron_command(public.credit_scheduled_tasks); credits.cron_jobs(); credits.cron_silence();
credits.customer_ref(text,boolean,text); credits.deadline_exceeded();
credits.debt_append(public.credit_accounts,bigint,bigint,bigint,bigint,bigint,text);
credits.debt_collect(public.credit_accounts,bigint); credits.debt_discrepancies(public.credit_accounts);
credits.debt_hash(bytea,public.credit_debts); credits.deep_horizon(); credits.deletions_add(uuid,text[],text);
credits.delivered_objects(); credits.delivered_parts(); credits.delivered_privileges();
credits.delivery_findings_now(); credits.departure_finish(public.account_erasures);
credits.deployed_functions(); credits.deployed_objects(); credits.deployed_parts();
credits.deployed_privileges(); credits.deployed_relations(); credits.discrepancies_of(uuid[]);
credits.discrepancy(text,uuid,numeric,numeric,timestamp with time zone,uuid,bigint,bigint);
credits.discrepancy_account(text,text); credits.disputes_note(public.payments,jsonb);
credits.ended_files_delete(uuid,uuid[]); credits.endpoint_hold(text,integer,boolean);
credits.entry_append(uuid,bigint,public.credit_entry_kind,bigint,uuid,text,jsonb);
credits.entry_hash(
bytea,uuid,bigint,bigint,bigint,public.credit_entry_kind,bigint,uuid,text,jsonb,timestamp with time zone);
credits.entry_is_archived(public.credit_ledger); credits.entry_origin();
credits.entry_thing(public.credit_ledger); credits.event_emit(uuid,text,jsonb); credits.event_pause(integer);
credits.events_retry(uuid[]); credits.expiries_next(credits.expiry_position,integer);
credits.external_refs_list(); credits.failure_code(uuid); credits.failure_shown(jsonb);
credits.file_account(text); credits.file_counts(); credits.file_deletion_is_due();
credits.file_differs(text,text,bigint); credits.file_discrepancies(); credits.file_findings_now();
credits.file_is_kept(uuid,text); credits.file_types(); credits.files_below(text);
credits.files_judged(text,integer); credits.files_sweep(integer); credits.find_by_id(uuid);
credits.find_by_mail(text,integer); credits.find_by_name(text); credits.foreign_storage_policies();
credits.grace_end(public.credit_grants);
credits.grace_grant(public.credit_grants,bigint,timestamp with time zone);
credits.grace_seal(bytea,timestamp with time zone); credits.grant_discrepancies(public.credit_accounts);
credits.grant_expire(public.credit_accounts,bigint,bigint,public.credit_entry_kind,text);
credits.grant_fill(public.credit_accounts,bigint,bigint,public.credit_entry_kind,uuid,text,jsonb);
credits.grant_give_back(public.credit_accounts,public.credit_grants,bigint,bigint,text);
credits.grant_replay(public.credit_accounts,bigint,text); credits.grant_seal(public.credit_grants);
credits.grant_sealed();
credits.grant_take(public.credit_accounts,public.credit_grants,bigint,bigint,bigint,text);
credits.grant_take_back(public.credit_accounts,public.credit_grants,bigint,bigint,text);
credits.grant_taken(public.credit_grants); credits.grants_expire(uuid[],bigint[]);
credits.had_sign_up_grant(uuid); credits.handover_add(text,uuid,bigint,text);
credits.handover_delivered(bigint[]); credits.handover_failed(bigint,text,boolean);
credits.handover_findings_now(); credits.handovers_due(integer); credits.handovers_forget(uuid);
credits.has_accounts_here(); credits.has_barrier(text[]); credits.has_broadcast();
credits.has_identity_to_come(jsonb); credits.has_left_traces(uuid); credits.has_no_address(jsonb);
credits.has_storage(); credits.hmac_sha256(bytea,bytea); credits.hours_ago(integer);
credits.index_is_intact(text); credits.input_delete(uuid,text); credits.input_of_key(uuid,uuid,text,jsonb);
credits.installed_release(); credits.integer_field(jsonb,integer,integer); credits.interface();
credits.is_confirmed(jsonb); credits.is_given_back(public.payments); credits.is_operator_view(oid);
credits.is_own_account(uuid); credits.is_price_in_force(text,timestamp with time zone);
credits.is_product_in_force(text,boolean,text,timestamp with time zone); credits.is_reason(text);
credits.is_router(); credits.is_time_zone(text); credits.is_users_own_end(public.generation_job_status,jsonb);
credits.job_actual_cost(public.generation_jobs,bigint,jsonb); credits.job_asker(uuid);
credits.job_discrepancies(uuid,bigint); credits.job_end_refunded(uuid,public.generation_job_status,jsonb,text);
credits.job_file_verdict(public.generation_jobs,text,boolean,integer); credits.job_files(uuid,uuid[]);
credits.job_ids(uuid,uuid,text,jsonb); credits.job_lock(uuid); credits.job_of_file(text);
credits.job_outcome(public.generation_jobs); credits.job_provenance(jsonb);
credits.job_provider_cost(uuid,uuid); credits.job_result(public.generation_jobs,text);
credits.job_seal(uuid,uuid,bigint); credits.job_settle_ended(public.generation_jobs); credits.job_state(uuid);
credits.job_sweep(uuid,uuid); credits.job_take_back(public.generation_jobs,bigint,text);
credits.job_to_erase(uuid,uuid); credits.jobs_overdue(integer); credits.jobs_sweep(uuid[],uuid[]);
credits.keeps_files(); credits.key_discrepancies(uuid); credits.ledger_is_append_only();
credits.ledger_refuse_change(); credits.lines_read(jsonb); credits.mailbox(text); credits.margins_now();
credits.may_cancel(public.generation_jobs,uuid); credits.may_erase_job(public.generation_jobs,uuid);
credits.may_have_sign_up_grant(jsonb); credits.may_keep_late(public.generation_jobs);
credits.member_correct(public.generation_jobs,bigint); credits.member_denial(uuid,uuid,bigint,boolean);
credits.member_month_charged(uuid,uuid,timestamp with time zone);
credits.member_spend(uuid,uuid,bigint,timestamp with time zone); credits.metrics_of_accounts();
credits.metrics_of_alerts(); credits.metrics_of_events(); credits.metrics_of_files();
credits.metrics_of_handovers(); credits.metrics_of_ledger(); credits.metrics_of_open_jobs();
credits.metrics_of_payments(); credits.metrics_of_recent_jobs(); credits.metrics_of_reconciliation();
credits.metrics_of_requests(); credits.metrics_of_shard(); credits.metrics_of_tasks();
credits.metrics_of_transfers(); credits.movement_kind(credits.account_thing);
credits.movement_title(credits.account_thing,public.generation_jobs);
credits.movements_book(credits.movement[],date); credits.my_account_ids(); credits.my_paying_account_ids();
credits.neutral_account(jsonb); credits.neutral_flag(jsonb,text); credits.neutral_list(jsonb,text);
credits.neutral_number(jsonb,text,bigint); credits.neutral_text(jsonb,text,text);
credits.neutral_time(jsonb,text);
credits.newest_jobs(text,timestamp with time zone,uuid,timestamp with time zone,integer);
credits.newest_jobs_of_account(uuid,text,timestamp with time zone,uuid,integer);
credits.newest_jobs_of_all(text,timestamp with time zone,uuid,integer);
credits.newest_open_jobs(uuid,timestamp with time zone,uuid,integer);
credits.newest_payments(uuid,text,timestamp with time zone,text,integer);
credits.newest_things(uuid,timestamp with time zone,text,integer); credits.operation_findings_now();
credits.operator_account_lock(uuid); credits.operator_act(text,uuid,text,jsonb,text,text);
credits.operator_action_discrepancies(); credits.operator_answer(public.operator_actions,boolean);
credits.operator_ask(public.credit_operators,credits.operator_request,bigint);
credits.operator_check_other(public.credit_operators,uuid);
credits.operator_check_own(public.credit_operators,uuid); credits.operator_check_reopen(public.credit_accounts);
credits.operator_day(uuid); credits.operator_discrepancies(boolean);
credits.operator_do(public.credit_operators,credits.operator_request);
credits.operator_does_acknowledge_alert(credits.operator_request,uuid);
credits.operator_does_book_payment(credits.operator_request);
credits.operator_does_cancel_job(credits.operator_request);
credits.operator_does_close_account(credits.operator_request);
credits.operator_does_erase_account(credits.operator_request);
credits.operator_does_fix_discrepancy(credits.operator_request);
credits.operator_does_grant(credits.operator_request,text);
credits.operator_does_mute_alert(credits.operator_request);
credits.operator_does_refund_job(credits.operator_request);
credits.operator_does_reopen_account(credits.operator_request);
credits.operator_does_retry_event(credits.operator_request);
credits.operator_does_reverse_grant(credits.operator_request);
credits.operator_does_set_overdraft(credits.operator_request);
credits.operator_does_set_plan(credits.operator_request,text);
credits.operator_does_withdraw(credits.operator_request,text); credits.operator_enter(text,text,text,uuid[]);
credits.operator_entry_discrepancies(); credits.operator_fixes();
credits.operator_joins(uuid,text,bigint,bigint,text);
credits.operator_muted(text,timestamp with time zone,timestamp with time zone,text,text);
credits.operator_note(uuid,credits.operator_request,credits.operator_effect,bigint,bigint);
credits.operator_perform(uuid,credits.operator_request,text); credits.operator_reads();
credits.operator_refuse(text,text,text,text); credits.operator_replay(uuid,credits.operator_request);
credits.operator_rights(); credits.operator_role(); credits.operator_row(uuid);
credits.operator_used_elsewhere(); credits.operator_used_today(uuid); credits.operator_views();
credits.operator_who_may(text); credits.operator_within_limits(public.credit_operators,bigint);
credits.operators_forget(uuid[],boolean); credits.operators_now(); credits.orphan_discrepancies(uuid);
credits.other_slot_groups(); credits.output_check(uuid,uuid,jsonb); credits.output_emptied(jsonb);
credits.output_files(jsonb); credits.output_has_data(jsonb); credits.output_hash(jsonb);
credits.output_limit(text,timestamp with time zone); credits.output_policy(); credits.outputs_due(integer);
credits.outputs_expire(text[]);
credits.overdraft_fill(public.credit_accounts,bigint,bigint,public.credit_entry_kind,uuid,text,jsonb);
credits.overdraft_given(credits.operator_effect); credits.own_account_check(uuid); credits.own_account_id();
credits.own_accounts(uuid[]); credits.page_size(integer); credits.part_differences(text);
credits.payer_denial(uuid,uuid); credits.payer_read(uuid,uuid,text,boolean);
credits.payment_account(text,boolean,text); credits.payment_book(public.payments,jsonb,boolean);
credits.payment_book_discrepancies(); credits.payment_cause(public.payments);
credits.payment_credits(public.payments); credits.payment_discrepancies(); credits.payment_disputed(text);
credits.payment_event_note(jsonb,text,boolean,text,uuid,text,text);
credits.payment_expires_at(credits.payment_terms); credits.payment_findings_now();
credits.payment_grant(public.payments); credits.payment_levels(public.payments);
credits.payment_lines(public.payments); credits.payment_lock(public.payments);
credits.payment_merge(public.payments,public.payments); credits.payment_read(jsonb);
credits.payment_remedy(text); credits.payment_reverse(public.payments,boolean);
credits.payment_seal(public.payments); credits.payment_state(text);
credits.payment_subscription(public.payments); credits.payment_target(public.payments);
credits.payment_target_now(public.payments); credits.payment_terms(public.payments);
credits.payment_waiting_discrepancies(); credits.payment_write(public.payments); credits.people_leave(uuid[]);
credits.period_share(public.payments,timestamp with time zone,timestamp with time zone);
credits.person_accounts(uuid[],boolean); credits.person_addresses(jsonb); credits.person_close(uuid,uuid[]);
credits.person_erase(uuid,uuid,integer); credits.person_erase_from(uuid,uuid[]);
credits.person_files_delete(uuid,uuid,uuid[]); credits.person_hashes(jsonb); credits.person_identities(uuid);
credits.person_is_gone_check(uuid); credits.person_jobs_end(uuid,uuid); credits.person_leave(uuid);
credits.person_reopen(uuid); credits.person_return(uuid); credits.person_sign_up(jsonb); credits.plan_arrived();
credits.plans_refilling(timestamp with time zone); credits.policy_is_of_services(regclass,text);
credits.price_cause(text,boolean,text); credits.price_change_check(text,timestamp with time zone,text);
credits.price_is_complete(); credits.price_is_kept();
credits.price_version(text,timestamp with time zone,jsonb,jsonb);
credits.price_version_insert(text,timestamp with time zone,jsonb); credits.privilege_differences();
credits.privileges_apply(); credits.product_check(text,boolean,text,jsonb); credits.product_is_kept();
credits.product_of_price(text,boolean,text,timestamp with time zone);
credits.product_settings(public.credit_products,jsonb); credits.provider_asks_due();
credits.provider_findings_now(); credits.provider_job_note(public.generation_jobs,text,jsonb);
credits.provider_jobs_clear(integer); credits.provider_word(public.generation_jobs,text,jsonb);
credits.provider_word_late(public.generation_jobs,text); credits.raise_misuse(text,text,text);
credits.raise_no_such_job(); credits.rate_is_kept(); credits.rates_change_version(); credits.rates_read(jsonb);
credits.reconcile_all(bigint); credits.reconcile_new(bigint); credits.reconciliation_findings_now();
credits.ref_groups(text); credits.ref_home(text);
credits.refill_anchor(public.credit_plans,public.credit_accounts);
credits.refill_anchor_on(
public.credit_plans,public.credit_plans,public.credit_accounts,timestamp with time zone);
credits.refill_begins(date,date); credits.refill_ends(public.credit_plans,public.credit_accounts,date);
credits.refill_first(public.credit_plans,public.credit_accounts,date); credits.refill_is_due(uuid);
credits.refill_month(public.credit_plans,public.credit_accounts,timestamp with time zone);
credits.refill_month_before(public.credit_plans,public.credit_accounts); credits.refill_ref(uuid,date);
credits.refill_source_is_free(); credits.refills_cap(uuid[]);
credits.refills_due(uuid[],date,timestamp with time zone);
credits.refills_next(uuid,integer,timestamp with time zone);
credits.refills_start(public.credit_plans[],public.credit_plans[]); credits.refills_start_now();
credits.refund_book(uuid,public.credit_entry_kind,uuid,bigint,text,text,boolean,uuid,timestamp with time zone);
credits.refund_overdrawn(public.credit_accounts,public.credit_entry_kind,uuid,bigint,text,jsonb,boolean);
credits.refund_return(
public.credit_accounts,public.credit_entry_kind,uuid,public.credit_grants,bigint,text,jsonb,boolean);
credits.refund_was_booked(public.generation_jobs,text); credits.refunds_merge(jsonb,jsonb);
credits.refunds_read(jsonb); credits.repair_statements(text);
credits.repeats_are_many(uuid,integer,timestamp with time zone); credits.request_events_month(date);
credits.request_price(text,jsonb); credits.request_record(public.credit_charge_result,uuid,text,text);
credits.request_refused(text,jsonb,text); credits.required(text,anyelement); credits.restored_row_wins();
credits.reversal_target(public.credit_ledger);
credits.roll_over_end(public.credit_accounts,public.credit_plans);
credits.roll_over_excess(public.credit_accounts,public.credit_grants,bigint,uuid);
credits.roll_over_trim(public.credit_accounts,bigint); credits.rolled_over(uuid); credits.runs_now();
credits.schedule_changed(); credits.shard_note(text,integer[]); credits.sign_up_account(uuid);
credits.sign_up_book(uuid,bigint); credits.sign_up_denied(uuid,text); credits.sign_up_finish(uuid,bigint);
credits.sign_up_give(uuid,bytea[],bigint); credits.sign_up_grants_left(); credits.sign_up_later(uuid);
credits.sign_up_note_denial(uuid,text); credits.slot(uuid); credits.slot_group(uuid);
credits.speech_asked(public.generation_models,jsonb); credits.spending_month(date);
credits.spent_this_month(bigint,date); credits.storage_set_up(); credits.storage_statements();
credits.subscription_book(public.payment_subscriptions,text); credits.subscription_discrepancies();
credits.subscription_ends_at(public.payment_subscriptions);
credits.subscription_follow(public.payment_subscriptions,text); credits.subscription_read(jsonb);
credits.subscription_terms(public.payment_subscriptions); credits.suspect_archives(); credits.suspect_chains();
credits.suspect_counts(); credits.suspect_debts(); credits.suspect_ends();
credits.suspect_entries_since(credits.run_horizon); credits.suspect_keys(); credits.suspect_repeats();
credits.suspect_repeats_since(credits.run_horizon); credits.suspect_sums(bigint); credits.suspects();
credits.suspects_among_changed(); credits.suspects_now(); credits.suspects_of_any_age(); credits.sweep_grace();
credits.task_arrived(); credits.team_id_check(uuid); credits.team_keeps_owner(uuid); credits.team_lock(uuid);
credits.team_pass_on(uuid); credits.team_spare(uuid); credits.team_successor(uuid);
credits.terms_come_from_router();
credits.text_answer(public.credit_charge_result,credits.text_model,jsonb,uuid,uuid);
credits.text_available(uuid,uuid,uuid); credits.text_hold(credits.text_model,jsonb,bigint);
credits.text_input(jsonb,credits.text_hold,jsonb,boolean,text); credits.text_model_in_force(text);
credits.text_request(jsonb); credits.text_settle_by_progress(uuid,uuid,text);
credits.text_used(public.generation_jobs,jsonb,text); credits.thing_end(uuid,bigint);
credits.timeline_acts(uuid,timestamp with time zone,timestamp with time zone,text,integer);
credits.timeline_detail(jsonb,uuid,text);
credits.timeline_movements(uuid,timestamp with time zone,text,integer); credits.timeline_payments(uuid);
credits.timeline_requests(uuid,timestamp with time zone,timestamp with time zone,text,integer);
credits.to_bigint(numeric); credits.traffic_findings_now(); credits.transfer_amount(jsonb);
credits.transfer_arrival(public.credit_accounts,uuid,text,jsonb,text);
credits.transfer_book(public.credit_accounts,public.credit_accounts,bigint,text,text);
credits.transfer_check(credits.transfer_order);
credits.transfer_dispatch(public.credit_accounts,public.credit_accounts,credits.transfer_order);
credits.transfer_expiry(public.credit_accounts,public.credit_grants); credits.transfer_findings_now();
credits.transfer_id(uuid,uuid,bigint,text); credits.transfer_is_local_check(credits.transfer_order);
credits.transfer_parts(public.credit_accounts,credits.burn_plan);
credits.transfer_plan(public.credit_accounts,public.credit_accounts,bigint);
credits.transfer_return(public.credit_accounts,public.credit_transfers_sent);
credits.transfer_return_check(uuid,text); credits.transfer_sent(text,boolean);
credits.transfer_take(public.credit_accounts,uuid,text,jsonb,text);
credits.transfers_make(credits.transfer_order[]); credits.transfers_note(credits.transfer_order[]);
credits.transfers_read(jsonb); credits.trial_charge(uuid,text,jsonb); credits.trial_delete(uuid);
credits.trial_prepare(uuid,text); credits.trial_refund(uuid); credits.trial_run(uuid);
credits.trial_update(uuid); credits.type_of_meters(text[]); credits.unused_uploads(uuid);
credits.upgrade_credits(public.credit_plans,public.credit_accounts,timestamp with time zone);
credits.upload_denied(text,jsonb); credits.upload_errors(text,bigint);
credits.upload_is_named(uuid,text,timestamp with time zone);
credits.upload_verdict(public.generation_uploads,numeric,integer); credits.uploads_expire(text[],text);
credits.usage_cost(text[],numeric[],jsonb); credits.usage_most(text[],numeric[],jsonb,integer,integer,integer);
credits.usage_reported(jsonb); credits.user_changed(jsonb,jsonb); credits.user_created();
credits.user_deleted(); credits.user_facts(jsonb); credits.user_updated(); credits.users_leave(uuid[]);
credits.vault_secret(text); credits.version_takes_rates(); credits.video_asked(public.generation_models,jsonb);
credits.watched_roles(); credits.withdrawal_plan(uuid,bigint,bigint);
credits.withdrawal_replay(public.credit_accounts,bigint,bigint,text); credits.witness_discrepancies();
credits.witness_objects(text); public.abandon_text(uuid); public.account_expiring_grants(uuid);
public.account_models(uuid,uuid);
public.account_statement(uuid,timestamp with time zone,timestamp with time zone);
public.account_statement_json(uuid,timestamp with time zone,timestamp with time zone);
public.acknowledge_alert(uuid,text); public.announce_expiring_grants(integer); public.apply_retention();
public.apply_schedule(); public.archive_ledger(timestamp with time zone,bigint);
public.atomic_charge_credits(uuid,text,jsonb,text,text,uuid,boolean);
public.atomic_charge_credits_batch(uuid,jsonb,boolean); public.balance_as_of(uuid,timestamp with time zone);
public.book_payment(jsonb,jsonb); public.book_subscription(jsonb,jsonb);
public.cancel_generation(uuid,uuid,boolean); public.charge_by_app_key(uuid,uuid,text,jsonb,text,text,boolean);
public.charge_text(uuid,uuid,uuid,text,jsonb,text,text); public.check_input_object(uuid,text);
public.claim_events(integer,boolean,text); public.claim_external_ref(text,text,uuid,uuid);
public.claim_outputs_to_move(integer); public.claim_provider_asks(integer);
public.claim_storage_deletions(integer); public.correct_job(uuid,text);
public.create_app_key(uuid,uuid,text,text[],bigint,timestamp with time zone);
public.create_team_account(uuid,uuid); public.create_upload(uuid,uuid,text,bigint);
public.delete_output(uuid,uuid); public.detect_anomalies(integer); public.erase_account(uuid);
public.erase_job(uuid,uuid); public.evaluate_alerts(); public.expire_grants(integer);
public.fail_generation(uuid,jsonb); public.find_outputs_to_move(); public.find_payment(text,text);
public.finish_erasures(integer); public.finish_event(uuid,text,text,integer,boolean);
public.finish_output_move(uuid,jsonb); public.finish_storage_deletions(text[]);
public.follow_subscriptions(integer); public.function_calls_due(); public.get_generation_stats(integer);
public.grant_credits(uuid,bigint,text,public.credit_entry_kind,timestamp with time zone,text,smallint,jsonb);
public.grant_due_sign_ups(integer); public.has_external_ref(uuid,text,text);
public.import_model_price(text,jsonb,jsonb,numeric,jsonb); public.keep_late_output(uuid,jsonb);
public.ledger_seq_as_of(uuid,timestamp with time zone); public.link_payment_customer(uuid,text,boolean,text);
public.list_app_keys(uuid,uuid); public.maintain_request_events();
public.mute_alert_rule(text,timestamp with time zone); public.note_generation_progress(uuid,jsonb);
public.note_payment_event(jsonb,text,text); public.operational_metrics(); public.operator_abilities();
public.operator_accounts_page(uuid,integer); public.operator_acknowledge_alert(uuid,text,text);
public.operator_approve(uuid,text,text); public.operator_book_payment(text,text,text);
public.operator_cancel_job(uuid,text,text); public.operator_close_account(uuid,text,text);
public.operator_erase_account(uuid,text,text); public.operator_fix_discrepancy(text,text,text,text);
public.operator_grant(uuid,bigint,timestamp with time zone,text,text);
public.operator_jobs_page(uuid,text,timestamp with time zone,uuid,integer);
public.operator_mute_alert(text,timestamp with time zone,text,text);
public.operator_payments_page(uuid,text,timestamp with time zone,text,integer); public.operator_people(uuid[]);
public.operator_reconcile(); public.operator_refund_job(uuid,bigint,text,text);
public.operator_reject(uuid,text,text); public.operator_remove(uuid,text,text);
public.operator_reopen_account(uuid,text,text); public.operator_request_trail(text);
public.operator_retry_event(uuid,text,text); public.operator_reverse_grant(uuid,bigint,bigint,text,text);
public.operator_search(text,integer); public.operator_set(uuid,text,bigint,bigint,text,text);
public.operator_set_overdraft(uuid,bigint,text,text); public.operator_set_plan(uuid,text,text,text);
public.operator_timeline(uuid,timestamp with time zone,text,integer);
public.operator_withdraw(uuid,bigint,text,text); public.payment_status(uuid,text);
public.person_joins(uuid,bigint,text); public.person_leaves(uuid);
public.prepare_checkout(uuid,uuid,text,integer,text,boolean); public.prepare_portal(uuid,uuid,text,boolean);
public.preview_payment(jsonb); public.preview_subscription(jsonb);
public.provider_answered(uuid,text,text,text,jsonb); public.quote_generation(text,jsonb);
public.quote_text(text,jsonb); public.receive_callback(uuid,text,text,text,jsonb);
public.reconcile_credit_ledger(boolean); public.record_anomalies(); public.refill_plans(integer);
public.refund_credits(uuid,bigint,text); public.remove_account_member(uuid,uuid); public.repair_deployment();
public.request_function(text); public.retry_events(timestamp with time zone,integer);
public.retry_payment(text); public.retry_payments(integer); public.reverse_grant(uuid,bigint,bigint,text);
public.revoke_app_key(uuid,uuid,uuid); public.run_task(text); public.set_account_member(uuid,uuid,text,bigint);
public.set_account_plan(uuid,text); public.set_model_price(text,jsonb,timestamp with time zone,jsonb);
public.set_product(text,boolean,text,jsonb,timestamp with time zone);
public.settle_generation(uuid,jsonb,bigint,jsonb); public.settle_text(uuid,jsonb,text,jsonb);
public.start_generation(uuid,text,jsonb); public.sweep_overdue_jobs(integer);
public.text_terms(text,uuid,uuid,text); public.transfer_credits(uuid,uuid,bigint,text,text);
public.transfer_credits_batch(jsonb); public.transfer_finish(uuid,uuid,text);
public.transfer_receive(uuid,uuid,uuid,text,jsonb,text); public.transfer_send(uuid,uuid,bigint,text,text);
public.transfer_send_batch(jsonb,uuid[]); public.transfers_in_flight(integer); public.verify_deployment();
public.verify_ledger(uuid,boolean); public.verify_operator_actions(uuid);
public.withdraw_credits(uuid,bigint,bigint,text,text)$list$),
('table', $list$
credits.external_refs; credits.file_sweep; credits.handovers; credits.installation; credits.outputs_to_move;
credits.request_events_rest; credits.secrets; credits.shard; credits.sign_up_addresses; credits.sign_ups_due;
credits.storage_deletions; public.account_erasures; public.account_members; public.credit_accounts;
public.credit_alert_rules; public.credit_alerts; public.credit_anomaly_findings; public.credit_anomaly_rules;
public.credit_app_keys; public.credit_debts; public.credit_event_endpoints; public.credit_events;
public.credit_grants; public.credit_ledger; public.credit_ledger_anchors; public.credit_ledger_archive;
public.credit_ledger_checkpoints; public.credit_operators; public.credit_plans; public.credit_products;
public.credit_request_events; public.credit_scheduled_tasks; public.credit_settings;
public.credit_sign_up_grants; public.credit_task_runs; public.credit_transfers;
public.credit_transfers_received; public.credit_transfers_sent; public.credit_withdrawals;
public.generation_jobs; public.generation_model_costs; public.generation_model_rates; public.generation_models;
public.generation_provider_jobs; public.generation_uploads; public.generation_usage; public.operator_actions;
public.operator_approvals; public.payment_customers; public.payment_disputes; public.payment_events;
public.payment_subscriptions; public.payments; public.reconciliation_classes; public.reconciliation_findings;
public.reconciliation_runs$list$),
('type', $list$
credits.account_thing; credits.alert_finding; credits.burn_plan; credits.deployment_check; credits.discrepancy;
credits.expiry_position; credits.judged_file; credits.movement; credits.operator_effect;
credits.operator_request; credits.payment_discrepancy; credits.payment_terms; credits.priced_request;
credits.run_horizon; credits.text_hold; credits.text_model; credits.transfer_order; credits.witness_object;
public.credit_anomaly; public.credit_archive_result; public.credit_charge_result; public.credit_entry_kind;
public.credit_grant_result; public.credit_ledger_result; public.credit_operator_role;
public.credit_reversal_result; public.credit_transfer_received; public.credit_transfer_result;
public.credit_transfer_sent; public.credit_withdrawal_result; public.generation_callback_result;
public.generation_job_result; public.generation_job_status; public.generation_output_to_move;
public.generation_provider_ask; public.generation_quote; public.generation_stats; public.generation_text_charge;
public.generation_text_quote; public.generation_text_terms; public.generation_upload;
public.operator_chain_result; public.operator_find; public.operator_result; public.operator_timeline_row;
public.payment_checkout; public.payment_result; public.payment_status_result$list$),
('view', $list$
credits.action_links; credits.chain_links; credits.charge_terms; credits.debts_owed; credits.denials;
credits.grants_repaid; credits.members_counted; credits.spendable_grants; credits.transfers_booked;
credits.transfers_noted; credits.withdrawals_booked; public.account_balances;
public.account_teams_without_owner; public.credit_anomalies; public.credit_journal;
public.credit_ledger_chain_breaks; public.credit_liability_daily; public.credit_rate_limit_hits;
public.credit_request_trail; public.credit_revenue_daily; public.credit_transfer_totals;
public.credit_unsettled_jobs; public.generation_files; public.generation_margins;
public.generation_margins_daily; public.generation_stats_hourly; public.operator_account_grants;
public.operator_account_members; public.operator_accounts; public.operator_alerts;
public.operator_discrepancies; public.operator_events; public.operator_jobs; public.operator_log;
public.operator_me; public.operator_models; public.operator_payments; public.operator_providers;
public.operator_reconciliations; public.operator_team; public.operator_waiting; public.payment_deferred_revenue;
public.payment_discrepancies; public.payment_revenue_daily; public.reconciliation_discrepancies;
public.reconciliation_latest; public.reconciliation_summary$list$)
  ) as v (kind, list)
  cross join lateral regexp_split_to_table(trim(v.list, E'\n'), ';\s') as o (identity);
$$;
comment on function credits.delivered_objects() is
  'Every delivered table, view, function (with its arguments) and type.';

create function credits.delivered_parts()
returns table (kind text, table_name text, part_name text, definition text)
language sql
immutable
set search_path = '', pg_temp
as $$
  select v.kind, v.table_name, v.part_name, regexp_replace(ltrim(v.definition, E'\n'), '\n', ' ', 'g') from (values
('policy', 'public.account_erasures', 'account_erasures_read_auditor', $sql$
CREATE POLICY account_erasures_read_auditor ON public.account_erasures AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.account_members', 'account_members_read_auditor', $sql$
CREATE POLICY account_members_read_auditor ON public.account_members AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.account_members', 'account_members_read_own_accounts', $sql$
CREATE POLICY account_members_read_own_accounts ON public.account_members AS PERMISSIVE FOR SELECT TO
authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_accounts', 'credit_accounts_read_auditor', $sql$
CREATE POLICY credit_accounts_read_auditor ON public.credit_accounts AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_accounts', 'credit_accounts_read_own', $sql$
CREATE POLICY credit_accounts_read_own ON public.credit_accounts AS PERMISSIVE FOR SELECT TO authenticated
USING ((id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_alert_rules', 'credit_alert_rules_read_auditor', $sql$
CREATE POLICY credit_alert_rules_read_auditor ON public.credit_alert_rules AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_alerts', 'credit_alerts_read_auditor', $sql$
CREATE POLICY credit_alerts_read_auditor ON public.credit_alerts AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_anomaly_findings', 'credit_anomaly_findings_read_auditor', $sql$
CREATE POLICY credit_anomaly_findings_read_auditor ON public.credit_anomaly_findings AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_anomaly_rules', 'credit_anomaly_rules_read_auditor', $sql$
CREATE POLICY credit_anomaly_rules_read_auditor ON public.credit_anomaly_rules AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_app_keys', 'credit_app_keys_read_auditor', $sql$
CREATE POLICY credit_app_keys_read_auditor ON public.credit_app_keys AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_debts', 'credit_debts_read_auditor', $sql$
CREATE POLICY credit_debts_read_auditor ON public.credit_debts AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_debts', 'credit_debts_read_own', $sql$
CREATE POLICY credit_debts_read_own ON public.credit_debts AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_event_endpoints', 'credit_event_endpoints_read_auditor', $sql$
CREATE POLICY credit_event_endpoints_read_auditor ON public.credit_event_endpoints AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_events', 'credit_events_read_auditor', $sql$
CREATE POLICY credit_events_read_auditor ON public.credit_events AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_grants', 'credit_grants_read_auditor', $sql$
CREATE POLICY credit_grants_read_auditor ON public.credit_grants AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_grants', 'credit_grants_read_own', $sql$
CREATE POLICY credit_grants_read_own ON public.credit_grants AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_ledger', 'credit_ledger_read_auditor', $sql$
CREATE POLICY credit_ledger_read_auditor ON public.credit_ledger AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_ledger', 'credit_ledger_read_own', $sql$
CREATE POLICY credit_ledger_read_own ON public.credit_ledger AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_ledger_anchors', 'credit_ledger_anchors_read_auditor', $sql$
CREATE POLICY credit_ledger_anchors_read_auditor ON public.credit_ledger_anchors AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_ledger_archive', 'credit_ledger_archive_read_auditor', $sql$
CREATE POLICY credit_ledger_archive_read_auditor ON public.credit_ledger_archive AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_ledger_archive', 'credit_ledger_archive_read_own', $sql$
CREATE POLICY credit_ledger_archive_read_own ON public.credit_ledger_archive AS PERMISSIVE FOR SELECT TO
authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_ledger_checkpoints', 'credit_ledger_checkpoints_read_auditor', $sql$
CREATE POLICY credit_ledger_checkpoints_read_auditor ON public.credit_ledger_checkpoints AS PERMISSIVE FOR
SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_operators', 'credit_operators_read_auditor', $sql$
CREATE POLICY credit_operators_read_auditor ON public.credit_operators AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_plans', 'credit_plans_read', $sql$
CREATE POLICY credit_plans_read ON public.credit_plans AS PERMISSIVE FOR SELECT TO authenticated
USING (true)$sql$),
('policy', 'public.credit_plans', 'credit_plans_read_auditor', $sql$
CREATE POLICY credit_plans_read_auditor ON public.credit_plans AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_products', 'credit_products_read_auditor', $sql$
CREATE POLICY credit_products_read_auditor ON public.credit_products AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_products', 'credit_products_read_enabled', $sql$
CREATE POLICY credit_products_read_enabled ON public.credit_products AS PERMISSIVE FOR SELECT TO authenticated
USING ((enabled AND credits.is_product_in_force(provider, livemode, name, effective_from)))$sql$),
('policy', 'public.credit_request_events', 'credit_request_events_read_auditor', $sql$
CREATE POLICY credit_request_events_read_auditor ON public.credit_request_events AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_scheduled_tasks', 'credit_scheduled_tasks_read_auditor', $sql$
CREATE POLICY credit_scheduled_tasks_read_auditor ON public.credit_scheduled_tasks AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_settings', 'credit_settings_read_auditor', $sql$
CREATE POLICY credit_settings_read_auditor ON public.credit_settings AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_sign_up_grants', 'credit_sign_up_grants_read_auditor', $sql$
CREATE POLICY credit_sign_up_grants_read_auditor ON public.credit_sign_up_grants AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_task_runs', 'credit_task_runs_read_auditor', $sql$
CREATE POLICY credit_task_runs_read_auditor ON public.credit_task_runs AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_transfers', 'credit_transfers_read_auditor', $sql$
CREATE POLICY credit_transfers_read_auditor ON public.credit_transfers AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_transfers_received', 'credit_transfers_received_read_auditor', $sql$
CREATE POLICY credit_transfers_received_read_auditor ON public.credit_transfers_received AS PERMISSIVE FOR
SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_transfers_sent', 'credit_transfers_sent_read_auditor', $sql$
CREATE POLICY credit_transfers_sent_read_auditor ON public.credit_transfers_sent AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_withdrawals', 'credit_withdrawals_read_auditor', $sql$
CREATE POLICY credit_withdrawals_read_auditor ON public.credit_withdrawals AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_jobs', 'generation_jobs_read_auditor', $sql$
CREATE POLICY generation_jobs_read_auditor ON public.generation_jobs AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.generation_jobs', 'generation_jobs_read_own', $sql$
CREATE POLICY generation_jobs_read_own ON public.generation_jobs AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.generation_model_costs', 'generation_model_costs_read_auditor', $sql$
CREATE POLICY generation_model_costs_read_auditor ON public.generation_model_costs AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_model_rates', 'generation_model_rates_read_auditor', $sql$
CREATE POLICY generation_model_rates_read_auditor ON public.generation_model_rates AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_model_rates', 'generation_model_rates_read_enabled', $sql$
CREATE POLICY generation_model_rates_read_enabled ON public.generation_model_rates AS PERMISSIVE FOR SELECT TO
anon, authenticated
USING ((EXISTS ( SELECT
   FROM public.generation_models m
  WHERE ((m.name = generation_model_rates.model) AND
(m.effective_from = generation_model_rates.effective_from)))))$sql$),
('policy', 'public.generation_models', 'generation_models_read_auditor', $sql$
CREATE POLICY generation_models_read_auditor ON public.generation_models AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_models', 'generation_models_read_enabled', $sql$
CREATE POLICY generation_models_read_enabled ON public.generation_models AS PERMISSIVE FOR SELECT TO anon,
authenticated
USING ((enabled AND credits.is_price_in_force(name, effective_from)))$sql$),
('policy', 'public.generation_provider_jobs', 'generation_provider_jobs_read_auditor', $sql$
CREATE POLICY generation_provider_jobs_read_auditor ON public.generation_provider_jobs AS PERMISSIVE FOR SELECT
TO credits_auditor
USING (true)$sql$),
('policy', 'public.generation_uploads', 'generation_uploads_read_auditor', $sql$
CREATE POLICY generation_uploads_read_auditor ON public.generation_uploads AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_uploads', 'generation_uploads_read_own', $sql$
CREATE POLICY generation_uploads_read_own ON public.generation_uploads AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.generation_usage', 'generation_usage_read_auditor', $sql$
CREATE POLICY generation_usage_read_auditor ON public.generation_usage AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_usage', 'generation_usage_read_own', $sql$
CREATE POLICY generation_usage_read_own ON public.generation_usage AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.operator_actions', 'operator_actions_read_auditor', $sql$
CREATE POLICY operator_actions_read_auditor ON public.operator_actions AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.operator_approvals', 'operator_approvals_read_auditor', $sql$
CREATE POLICY operator_approvals_read_auditor ON public.operator_approvals AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_customers', 'payment_customers_read_auditor', $sql$
CREATE POLICY payment_customers_read_auditor ON public.payment_customers AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_disputes', 'payment_disputes_read_auditor', $sql$
CREATE POLICY payment_disputes_read_auditor ON public.payment_disputes AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_events', 'payment_events_read_auditor', $sql$
CREATE POLICY payment_events_read_auditor ON public.payment_events AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.payment_subscriptions', 'payment_subscriptions_read_auditor', $sql$
CREATE POLICY payment_subscriptions_read_auditor ON public.payment_subscriptions AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_subscriptions', 'payment_subscriptions_read_own', $sql$
CREATE POLICY payment_subscriptions_read_own ON public.payment_subscriptions AS PERMISSIVE FOR SELECT TO
authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_paying_account_ids() AS my_paying_account_ids))))$sql$),
('policy', 'public.payments', 'payments_read_auditor', $sql$
CREATE POLICY payments_read_auditor ON public.payments AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.payments', 'payments_read_own', $sql$
CREATE POLICY payments_read_own ON public.payments AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_paying_account_ids() AS my_paying_account_ids))))$sql$),
('policy', 'public.reconciliation_classes', 'reconciliation_classes_read_auditor', $sql$
CREATE POLICY reconciliation_classes_read_auditor ON public.reconciliation_classes AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.reconciliation_findings', 'reconciliation_findings_read_auditor', $sql$
CREATE POLICY reconciliation_findings_read_auditor ON public.reconciliation_findings AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.reconciliation_runs', 'reconciliation_runs_read_auditor', $sql$
CREATE POLICY reconciliation_runs_read_auditor ON public.reconciliation_runs AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('trigger', 'auth.users', 'atomic_credits_user_created', $sql$
CREATE OR REPLACE TRIGGER atomic_credits_user_created AFTER INSERT ON auth.users
FOR EACH ROW
EXECUTE FUNCTION credits.user_created()$sql$),
('trigger', 'auth.users', 'atomic_credits_user_deleted', $sql$
CREATE OR REPLACE TRIGGER atomic_credits_user_deleted AFTER DELETE ON auth.users REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT
EXECUTE FUNCTION credits.user_deleted()$sql$),
('trigger', 'auth.users', 'atomic_credits_user_updated', $sql$
CREATE OR REPLACE TRIGGER atomic_credits_user_updated AFTER UPDATE ON auth.users REFERENCING OLD TABLE AS
users_before NEW TABLE AS users_now
FOR EACH STATEMENT
EXECUTE FUNCTION credits.user_updated()$sql$),
('trigger', 'credits.file_sweep', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON credits.file_sweep
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE credits.file_sweep ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'credits.installation', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON credits.installation
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE credits.installation ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'credits.secrets', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON credits.secrets
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE credits.secrets ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.account_members', 'account_version_touch', $sql$
CREATE OR REPLACE TRIGGER account_version_touch AFTER INSERT OR DELETE OR UPDATE OF role, monthly_cap ON
public.account_members
FOR EACH ROW
EXECUTE FUNCTION credits.account_version_touch()$sql$),
('trigger', 'public.credit_accounts', 'account_opened', $sql$
CREATE OR REPLACE TRIGGER account_opened BEFORE INSERT OR UPDATE OF id ON public.credit_accounts
FOR EACH ROW
EXECUTE FUNCTION credits.account_opened()$sql$),
('trigger', 'public.credit_accounts', 'account_rejoined', $sql$
CREATE OR REPLACE TRIGGER account_rejoined BEFORE UPDATE OF closed_at ON public.credit_accounts
FOR EACH ROW WHEN (((old.closed_at IS NOT NULL) AND (new.closed_at IS NULL) AND (new.user_id IS NULL) AND (NOT
new.is_team)))
EXECUTE FUNCTION credits.account_rejoined()$sql$),
('trigger', 'public.credit_accounts', 'account_reopened', $sql$
CREATE OR REPLACE TRIGGER account_reopened BEFORE UPDATE OF closed_at ON public.credit_accounts
FOR EACH ROW WHEN (((old.closed_at IS NOT NULL) AND (new.closed_at IS NULL) AND (new.refilled_for IS NOT NULL)))
EXECUTE FUNCTION credits.account_reopened()$sql$),
('trigger', 'public.credit_accounts', 'account_version_raise', $sql$
CREATE OR REPLACE TRIGGER account_version_raise BEFORE UPDATE OF id, user_id, plan, credit_limit,
lowered_credit_limit, debt, debt_seq, refilled_for, cancels, cancels_on, refill_anchor, closed_at, created_at,
is_team ON public.credit_accounts
FOR EACH ROW
EXECUTE FUNCTION credits.account_version_raise()$sql$),
('trigger', 'public.credit_accounts', 'balance_broadcast', $sql$
CREATE OR REPLACE TRIGGER balance_broadcast AFTER UPDATE OF balance ON public.credit_accounts
FOR EACH ROW WHEN (false)
EXECUTE FUNCTION credits.balance_broadcast()$sql$),
('trigger', 'public.credit_accounts', 'credit_limit_changed', $sql$
CREATE OR REPLACE TRIGGER credit_limit_changed BEFORE INSERT OR UPDATE OF credit_limit ON public.credit_accounts
FOR EACH ROW
EXECUTE FUNCTION credits.credit_limit_changed()$sql$),
('trigger', 'public.credit_alert_rules', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_alert_rules
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_alert_rules ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_alert_rules', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_alert_rules
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.credit_anomaly_rules', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_anomaly_rules
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_anomaly_rules ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_anomaly_rules', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_anomaly_rules
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.credit_debts', 'credit_debts_refuse_change', $sql$
CREATE OR REPLACE TRIGGER credit_debts_refuse_change BEFORE DELETE OR UPDATE ON public.credit_debts
FOR EACH ROW
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_debts ENABLE ALWAYS TRIGGER credit_debts_refuse_change$sql$),
('trigger', 'public.credit_debts', 'credit_debts_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER credit_debts_refuse_truncate BEFORE TRUNCATE ON public.credit_debts
FOR EACH STATEMENT
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_debts ENABLE ALWAYS TRIGGER credit_debts_refuse_truncate$sql$),
('trigger', 'public.credit_grants', 'account_version_touch', $sql$
CREATE OR REPLACE TRIGGER account_version_touch AFTER UPDATE OF priority, expires_at ON public.credit_grants
FOR EACH ROW
EXECUTE FUNCTION credits.account_version_touch()$sql$),
('trigger', 'public.credit_grants', 'grant_sealed', $sql$
CREATE OR REPLACE TRIGGER grant_sealed BEFORE INSERT ON public.credit_grants
FOR EACH ROW
EXECUTE FUNCTION credits.grant_sealed()$sql$),
('trigger', 'public.credit_ledger', 'credit_ledger_refuse_change', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_refuse_change BEFORE DELETE OR UPDATE ON public.credit_ledger
FOR EACH ROW WHEN ((NOT credits.entry_is_archived(old.*)))
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger ENABLE ALWAYS TRIGGER credit_ledger_refuse_change$sql$),
('trigger', 'public.credit_ledger', 'credit_ledger_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_refuse_truncate BEFORE TRUNCATE ON public.credit_ledger
FOR EACH STATEMENT
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger ENABLE ALWAYS TRIGGER credit_ledger_refuse_truncate$sql$),
('trigger', 'public.credit_ledger_archive', 'credit_ledger_archive_refuse_change', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_archive_refuse_change BEFORE DELETE OR UPDATE ON
public.credit_ledger_archive
FOR EACH ROW
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger_archive ENABLE ALWAYS TRIGGER credit_ledger_archive_refuse_change$sql$),
('trigger', 'public.credit_ledger_archive', 'credit_ledger_archive_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_archive_refuse_truncate BEFORE TRUNCATE ON public.credit_ledger_archive
FOR EACH STATEMENT
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger_archive ENABLE ALWAYS TRIGGER credit_ledger_archive_refuse_truncate$sql$),
('trigger', 'public.credit_plans', 'plan_arrived', $sql$
CREATE OR REPLACE TRIGGER plan_arrived AFTER UPDATE ON public.credit_plans
FOR EACH ROW
EXECUTE FUNCTION credits.plan_arrived();
ALTER TABLE public.credit_plans ENABLE REPLICA TRIGGER plan_arrived$sql$),
('trigger', 'public.credit_plans', 'refill_source_is_free', $sql$
CREATE OR REPLACE TRIGGER refill_source_is_free BEFORE UPDATE ON public.credit_plans
FOR EACH ROW WHEN (((old.refilled_by = 'payment'::text) AND (new.refilled_by = 'schedule'::text)))
EXECUTE FUNCTION credits.refill_source_is_free()$sql$),
('trigger', 'public.credit_plans', 'refills_start_now', $sql$
CREATE OR REPLACE TRIGGER refills_start_now AFTER UPDATE ON public.credit_plans REFERENCING OLD TABLE AS
plans_before NEW TABLE AS plans_now
FOR EACH STATEMENT
EXECUTE FUNCTION credits.refills_start_now()$sql$),
('trigger', 'public.credit_plans', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_plans
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_plans ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_plans', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_plans
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.credit_products', 'product_is_kept', $sql$
CREATE OR REPLACE TRIGGER product_is_kept BEFORE DELETE OR UPDATE ON public.credit_products
FOR EACH ROW
EXECUTE FUNCTION credits.product_is_kept()$sql$),
('trigger', 'public.credit_products', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_products
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.credit_scheduled_tasks', 'credit_scheduled_tasks_apply', $sql$
CREATE OR REPLACE TRIGGER credit_scheduled_tasks_apply AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_scheduled_tasks
FOR EACH STATEMENT
EXECUTE FUNCTION credits.schedule_changed()$sql$),
('trigger', 'public.credit_scheduled_tasks', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_scheduled_tasks
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_scheduled_tasks ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_scheduled_tasks', 'task_arrived', $sql$
CREATE OR REPLACE TRIGGER task_arrived AFTER INSERT OR DELETE OR UPDATE ON public.credit_scheduled_tasks
FOR EACH ROW
EXECUTE FUNCTION credits.task_arrived();
ALTER TABLE public.credit_scheduled_tasks ENABLE REPLICA TRIGGER task_arrived$sql$),
('trigger', 'public.credit_settings', 'broadcast_follows', $sql$
CREATE OR REPLACE TRIGGER broadcast_follows AFTER UPDATE OF broadcast_balance ON public.credit_settings
FOR EACH ROW WHEN ((new.broadcast_balance <> old.broadcast_balance))
EXECUTE FUNCTION credits.broadcast_follows()$sql$),
('trigger', 'public.credit_settings', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_settings
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_settings ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_settings', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_settings
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.credit_task_runs', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_task_runs
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_task_runs ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.generation_model_costs', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.generation_model_costs
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.generation_model_rates', 'rate_is_kept', $sql$
CREATE OR REPLACE TRIGGER rate_is_kept BEFORE INSERT OR DELETE OR UPDATE ON public.generation_model_rates
FOR EACH ROW
EXECUTE FUNCTION credits.rate_is_kept()$sql$),
('trigger', 'public.generation_model_rates', 'rates_change_version', $sql$
CREATE OR REPLACE TRIGGER rates_change_version AFTER INSERT OR DELETE OR UPDATE ON public.generation_model_rates
FOR EACH ROW
EXECUTE FUNCTION credits.rates_change_version()$sql$),
('trigger', 'public.generation_model_rates', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.generation_model_rates
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.generation_model_rates ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.generation_model_rates', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.generation_model_rates
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.generation_models', 'price_is_complete', $sql$
CREATE CONSTRAINT TRIGGER price_is_complete AFTER INSERT OR UPDATE ON public.generation_models DEFERRABLE
INITIALLY DEFERRED
FOR EACH ROW
EXECUTE FUNCTION credits.price_is_complete()$sql$),
('trigger', 'public.generation_models', 'price_is_kept', $sql$
CREATE OR REPLACE TRIGGER price_is_kept BEFORE DELETE ON public.generation_models
FOR EACH ROW
EXECUTE FUNCTION credits.price_is_kept()$sql$),
('trigger', 'public.generation_models', 'price_is_unchanged', $sql$
CREATE OR REPLACE TRIGGER price_is_unchanged BEFORE UPDATE ON public.generation_models
FOR EACH ROW WHEN (((((old.name IS DISTINCT FROM new.name) OR (old.effective_from IS DISTINCT FROM
new.effective_from)) OR (old.overage IS DISTINCT FROM new.overage)) OR (old.created_at IS DISTINCT FROM
new.created_at)))
EXECUTE FUNCTION credits.price_is_kept()$sql$),
('trigger', 'public.generation_models', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.generation_models
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.generation_models ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.generation_models', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.generation_models
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.generation_models', 'version_takes_rates', $sql$
CREATE OR REPLACE TRIGGER version_takes_rates BEFORE INSERT OR UPDATE ON public.generation_models
FOR EACH ROW
EXECUTE FUNCTION credits.version_takes_rates()$sql$),
('trigger', 'public.operator_actions', 'operator_actions_refuse_change', $sql$
CREATE OR REPLACE TRIGGER operator_actions_refuse_change BEFORE DELETE OR UPDATE ON public.operator_actions
FOR EACH ROW
EXECUTE FUNCTION credits.actions_refuse_change();
ALTER TABLE public.operator_actions ENABLE ALWAYS TRIGGER operator_actions_refuse_change$sql$),
('trigger', 'public.operator_actions', 'operator_actions_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER operator_actions_refuse_truncate BEFORE TRUNCATE ON public.operator_actions
FOR EACH STATEMENT
EXECUTE FUNCTION credits.actions_refuse_change();
ALTER TABLE public.operator_actions ENABLE ALWAYS TRIGGER operator_actions_refuse_truncate$sql$),
('trigger', 'public.reconciliation_classes', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.reconciliation_classes
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.reconciliation_classes ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.reconciliation_classes', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.reconciliation_classes
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.reconciliation_runs', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.reconciliation_runs
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.reconciliation_runs ENABLE REPLICA TRIGGER restored_row_wins$sql$)
  ) as v (kind, table_name, part_name, definition);
$$;
comment on function credits.delivered_parts() is
  'Every delivered policy and trigger, also those on auth.users, with the statement that makes it.';
