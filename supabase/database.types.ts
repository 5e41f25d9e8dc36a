export type Json = string | number | boolean | null | {
  [key: string]: Json | undefined;
} | Json[];

export type Database = {
  "public": {
    Tables: {
      "account_erasures": {
        Row: {
          "account_id": string;
          "erases": boolean;
          "finished_at": string | null;
          "of_team": boolean;
          "requested_at": string;
          "returned_at": string | null;
          "was_closed": boolean;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "erases"?: boolean;
          "finished_at"?: string | null;
          "of_team"?: boolean;
          "requested_at"?: string;
          "returned_at"?: string | null;
          "was_closed"?: boolean;
        };
        Update: {
          "account_id"?: string;
          "erases"?: boolean;
          "finished_at"?: string | null;
          "of_team"?: boolean;
          "requested_at"?: string;
          "returned_at"?: string | null;
          "was_closed"?: boolean;
        };
        Relationships: [];
      };
      "account_members": {
        Row: {
          "account_id": string;
          "created_at": string;
          "monthly_cap": number | null;
          "role": string;
          "spent": number;
          "spent_month": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "created_at"?: string;
          "monthly_cap"?: number | null;
          "role"?: string;
          "spent"?: number;
          "spent_month"?: string;
          "user_id": string;
        };
        Update: {
          "account_id"?: string;
          "created_at"?: string;
          "monthly_cap"?: number | null;
          "role"?: string;
          "spent"?: number;
          "spent_month"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "credit_accounts": {
        Row: {
          "balance": number;
          "cancels": number;
          "cancels_on": string | null;
          "closed_at": string | null;
          "created_at": string;
          "credit_limit": number;
          "debt": number;
          "debt_seq": number;
          "id": string;
          "is_team": boolean;
          "last_entry_at": string;
          "last_hash": string;
          "last_seq": number;
          "lowered_credit_limit": number | null;
          "overdraft_used": number;
          "plan": string;
          "rate_full_at": string;
          "refill_anchor": string | null;
          "refilled_for": string | null;
          "user_id": string | null;
          "version": number;
        };
        ComputedFields: never;
        Insert: {
          "balance"?: number;
          "cancels"?: number;
          "cancels_on"?: string | null;
          "closed_at"?: string | null;
          "created_at"?: string;
          "credit_limit"?: number;
          "debt"?: number;
          "debt_seq"?: number;
          "id"?: string;
          "is_team"?: boolean;
          "last_entry_at"?: string;
          "last_hash"?: string;
          "last_seq"?: number;
          "lowered_credit_limit"?: number | null;
          "overdraft_used"?: number;
          "plan"?: string;
          "rate_full_at"?: string;
          "refill_anchor"?: string | null;
          "refilled_for"?: string | null;
          "user_id"?: string | null;
          "version"?: number;
        };
        Update: {
          "balance"?: number;
          "cancels"?: number;
          "cancels_on"?: string | null;
          "closed_at"?: string | null;
          "created_at"?: string;
          "credit_limit"?: number;
          "debt"?: number;
          "debt_seq"?: number;
          "id"?: string;
          "is_team"?: boolean;
          "last_entry_at"?: string;
          "last_hash"?: string;
          "last_seq"?: number;
          "lowered_credit_limit"?: number | null;
          "overdraft_used"?: number;
          "plan"?: string;
          "rate_full_at"?: string;
          "refill_anchor"?: string | null;
          "refilled_for"?: string | null;
          "user_id"?: string | null;
          "version"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "credit_accounts_plan_fkey";
            columns: ["plan"];
            isOneToOne: false;
            referencedRelation: "credit_plans";
            referencedColumns: ["name"];
          },
        ];
      };
      "credit_alert_rules": {
        Row: {
          "description": string;
          "enabled": boolean;
          "minimum": number;
          "muted_until": string | null;
          "name": string;
          "severity": string;
          "threshold": number;
        };
        ComputedFields: never;
        Insert: {
          "description": string;
          "enabled"?: boolean;
          "minimum"?: number;
          "muted_until"?: string | null;
          "name": string;
          "severity": string;
          "threshold": number;
        };
        Update: {
          "description"?: string;
          "enabled"?: boolean;
          "minimum"?: number;
          "muted_until"?: string | null;
          "name"?: string;
          "severity"?: string;
          "threshold"?: number;
        };
        Relationships: [];
      };
      "credit_alerts": {
        Row: {
          "acknowledged_at": string | null;
          "acknowledged_by": string | null;
          "announced_at": string | null;
          "announced_value": number | null;
          "detail": string;
          "fired_at": string;
          "id": string;
          "resolved_at": string | null;
          "rule": string;
          "severity": string;
          "subject": string;
          "threshold": number;
          "updated_at": string;
          "value": number;
        };
        ComputedFields: never;
        Insert: {
          "acknowledged_at"?: string | null;
          "acknowledged_by"?: string | null;
          "announced_at"?: string | null;
          "announced_value"?: number | null;
          "detail": string;
          "fired_at"?: string;
          "id"?: string;
          "resolved_at"?: string | null;
          "rule": string;
          "severity": string;
          "subject"?: string;
          "threshold": number;
          "updated_at"?: string;
          "value": number;
        };
        Update: {
          "acknowledged_at"?: string | null;
          "acknowledged_by"?: string | null;
          "announced_at"?: string | null;
          "announced_value"?: number | null;
          "detail"?: string;
          "fired_at"?: string;
          "id"?: string;
          "resolved_at"?: string | null;
          "rule"?: string;
          "severity"?: string;
          "subject"?: string;
          "threshold"?: number;
          "updated_at"?: string;
          "value"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "credit_alerts_rule_fkey";
            columns: ["rule"];
            isOneToOne: false;
            referencedRelation: "credit_alert_rules";
            referencedColumns: ["name"];
          },
        ];
      };
      "credit_anomaly_findings": {
        Row: {
          "account_id": string | null;
          "detail": string;
          "found_at": string;
          "id": number;
          "observed": number;
          "rule": string;
          "since": string;
          "threshold": number;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "detail": string;
          "found_at": string;
          "id"?: never;
          "observed": number;
          "rule": string;
          "since": string;
          "threshold": number;
        };
        Update: {
          "account_id"?: string | null;
          "detail"?: string;
          "found_at"?: string;
          "id"?: never;
          "observed"?: number;
          "rule"?: string;
          "since"?: string;
          "threshold"?: number;
        };
        Relationships: [];
      };
      "credit_anomaly_rules": {
        Row: {
          "description": string;
          "enabled": boolean;
          "name": string;
          "threshold": number;
        };
        ComputedFields: never;
        Insert: {
          "description": string;
          "enabled"?: boolean;
          "name": string;
          "threshold": number;
        };
        Update: {
          "description"?: string;
          "enabled"?: boolean;
          "name"?: string;
          "threshold"?: number;
        };
        Relationships: [];
      };
      "credit_app_keys": {
        Row: {
          "account_id": string;
          "created_at": string;
          "expires_at": string | null;
          "hash": string;
          "hint": string;
          "id": string;
          "last_used_at": string | null;
          "member_id": string | null;
          "models": (string)[] | null;
          "monthly_cap": number | null;
          "name": string;
          "revoked_at": string | null;
          "spent": number;
          "spent_month": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "created_at"?: string;
          "expires_at"?: string | null;
          "hash": string;
          "hint": string;
          "id"?: string;
          "last_used_at"?: string | null;
          "member_id"?: string | null;
          "models"?: (string)[] | null;
          "monthly_cap"?: number | null;
          "name": string;
          "revoked_at"?: string | null;
          "spent"?: number;
          "spent_month"?: string;
        };
        Update: {
          "account_id"?: string;
          "created_at"?: string;
          "expires_at"?: string | null;
          "hash"?: string;
          "hint"?: string;
          "id"?: string;
          "last_used_at"?: string | null;
          "member_id"?: string | null;
          "models"?: (string)[] | null;
          "monthly_cap"?: number | null;
          "name"?: string;
          "revoked_at"?: string | null;
          "spent"?: number;
          "spent_month"?: string;
        };
        Relationships: [];
      };
      "credit_debts": {
        Row: {
          "account_id": string;
          "created_at": string;
          "debt_after": number;
          "delta": number;
          "from_grant_id": number | null;
          "grant_id": number | null;
          "hash": string;
          "reason": string | null;
          "seq": number;
          "taken": number;
          "target": number | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "created_at": string;
          "debt_after": number;
          "delta": number;
          "from_grant_id"?: number | null;
          "grant_id"?: number | null;
          "hash": string;
          "reason"?: string | null;
          "seq": number;
          "taken"?: number;
          "target"?: number | null;
        };
        Update: {
          "account_id"?: string;
          "created_at"?: string;
          "debt_after"?: number;
          "delta"?: number;
          "from_grant_id"?: number | null;
          "grant_id"?: number | null;
          "hash"?: string;
          "reason"?: string | null;
          "seq"?: number;
          "taken"?: number;
          "target"?: number | null;
        };
        Relationships: [];
      };
      "credit_event_endpoints": {
        Row: {
          "alerts_asked_at": string | null;
          "ended_at": string | null;
          "id": string;
          "not_before": string | null;
          "others_asked_at": string | null;
        };
        ComputedFields: never;
        Insert: {
          "alerts_asked_at"?: string | null;
          "ended_at"?: string | null;
          "id": string;
          "not_before"?: string | null;
          "others_asked_at"?: string | null;
        };
        Update: {
          "alerts_asked_at"?: string | null;
          "ended_at"?: string | null;
          "id"?: string;
          "not_before"?: string | null;
          "others_asked_at"?: string | null;
        };
        Relationships: [];
      };
      "credit_events": {
        Row: {
          "account_id": string | null;
          "attempts": number;
          "created_at": string;
          "delivered_at": string | null;
          "id": string;
          "last_error": string | null;
          "next_attempt_at": string | null;
          "payload": NonNullable<Json>;
          "type": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "attempts"?: number;
          "created_at"?: string;
          "delivered_at"?: string | null;
          "id"?: string;
          "last_error"?: string | null;
          "next_attempt_at"?: string | null;
          "payload": NonNullable<Json>;
          "type": string;
        };
        Update: {
          "account_id"?: string | null;
          "attempts"?: number;
          "created_at"?: string;
          "delivered_at"?: string | null;
          "id"?: string;
          "last_error"?: string | null;
          "next_attempt_at"?: string | null;
          "payload"?: NonNullable<Json>;
          "type"?: string;
        };
        Relationships: [];
      };
      "credit_grants": {
        Row: {
          "account_id": string;
          "amount": number;
          "breakage": number;
          "created_at": string;
          "expires_at": string | null;
          "expiry_announced_at": string | null;
          "external_ref": string | null;
          "grace_ends_at": string | null;
          "id": number;
          "is_capped": boolean;
          "is_open": boolean;
          "kind": Database["public"]["Enums"]["credit_entry_kind"];
          "makes_good": number | null;
          "priority": number;
          "reason": string | null;
          "remaining": number;
          "repaid": number;
          "reversed": number;
          "seal": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "amount": number;
          "breakage"?: number;
          "created_at"?: string;
          "expires_at"?: string | null;
          "expiry_announced_at"?: string | null;
          "external_ref"?: string | null;
          "grace_ends_at"?: string | null;
          "id"?: never;
          "is_capped"?: boolean;
          "is_open"?: boolean;
          "kind": Database["public"]["Enums"]["credit_entry_kind"];
          "makes_good"?: number | null;
          "priority"?: number;
          "reason"?: string | null;
          "remaining"?: number;
          "repaid"?: number;
          "reversed"?: number;
          "seal"?: string | null;
        };
        Update: {
          "account_id"?: string;
          "amount"?: number;
          "breakage"?: number;
          "created_at"?: string;
          "expires_at"?: string | null;
          "expiry_announced_at"?: string | null;
          "external_ref"?: string | null;
          "grace_ends_at"?: string | null;
          "id"?: never;
          "is_capped"?: boolean;
          "is_open"?: boolean;
          "kind"?: Database["public"]["Enums"]["credit_entry_kind"];
          "makes_good"?: number | null;
          "priority"?: number;
          "reason"?: string | null;
          "remaining"?: number;
          "repaid"?: number;
          "reversed"?: number;
          "seal"?: string | null;
        };
        Relationships: [];
      };
      "credit_ledger": {
        Row: {
          "account_id": string;
          "balance_after": number;
          "created_at": string;
          "delta": number;
          "grant_id": number | null;
          "hash": string;
          "job_id": string | null;
          "kind": Database["public"]["Enums"]["credit_entry_kind"];
          "metadata": Json | null;
          "reason": string | null;
          "seq": number;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "balance_after": number;
          "created_at": string;
          "delta": number;
          "grant_id"?: number | null;
          "hash": string;
          "job_id"?: string | null;
          "kind": Database["public"]["Enums"]["credit_entry_kind"];
          "metadata"?: Json | null;
          "reason"?: string | null;
          "seq": number;
        };
        Update: {
          "account_id"?: string;
          "balance_after"?: number;
          "created_at"?: string;
          "delta"?: number;
          "grant_id"?: number | null;
          "hash"?: string;
          "job_id"?: string | null;
          "kind"?: Database["public"]["Enums"]["credit_entry_kind"];
          "metadata"?: Json | null;
          "reason"?: string | null;
          "seq"?: number;
        };
        Relationships: [];
      };
      "credit_ledger_anchors": {
        Row: {
          "account_id": string;
          "archived_at": string;
          "balance": number;
          "hash": string;
          "seq": number;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "archived_at"?: string;
          "balance": number;
          "hash": string;
          "seq": number;
        };
        Update: {
          "account_id"?: string;
          "archived_at"?: string;
          "balance"?: number;
          "hash"?: string;
          "seq"?: number;
        };
        Relationships: [];
      };
      "credit_ledger_archive": {
        Row: {
          "account_id": string;
          "balance_after": number;
          "created_at": string;
          "delta": number;
          "grant_id": number | null;
          "hash": string;
          "job_id": string | null;
          "kind": Database["public"]["Enums"]["credit_entry_kind"];
          "metadata": Json | null;
          "reason": string | null;
          "seq": number;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "balance_after": number;
          "created_at": string;
          "delta": number;
          "grant_id"?: number | null;
          "hash": string;
          "job_id"?: string | null;
          "kind": Database["public"]["Enums"]["credit_entry_kind"];
          "metadata"?: Json | null;
          "reason"?: string | null;
          "seq": number;
        };
        Update: {
          "account_id"?: string;
          "balance_after"?: number;
          "created_at"?: string;
          "delta"?: number;
          "grant_id"?: number | null;
          "hash"?: string;
          "job_id"?: string | null;
          "kind"?: Database["public"]["Enums"]["credit_entry_kind"];
          "metadata"?: Json | null;
          "reason"?: string | null;
          "seq"?: number;
        };
        Relationships: [];
      };
      "credit_ledger_checkpoints": {
        Row: {
          "account_id": string;
          "balance": number;
          "hash": string;
          "seq": number;
          "verified_at": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "balance": number;
          "hash": string;
          "seq": number;
          "verified_at"?: string;
        };
        Update: {
          "account_id"?: string;
          "balance"?: number;
          "hash"?: string;
          "seq"?: number;
          "verified_at"?: string;
        };
        Relationships: [];
      };
      "credit_operators": {
        Row: {
          "created_at": string;
          "disabled_at": string | null;
          "last_hash": string;
          "last_seq": number;
          "max_per_action": number | null;
          "max_per_day": number | null;
          "note": string | null;
          "role": Database["public"]["Enums"]["credit_operator_role"];
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "disabled_at"?: string | null;
          "last_hash"?: string;
          "last_seq"?: number;
          "max_per_action"?: number | null;
          "max_per_day"?: number | null;
          "note"?: string | null;
          "role": Database["public"]["Enums"]["credit_operator_role"];
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "disabled_at"?: string | null;
          "last_hash"?: string;
          "last_seq"?: number;
          "max_per_action"?: number | null;
          "max_per_day"?: number | null;
          "note"?: string | null;
          "role"?: Database["public"]["Enums"]["credit_operator_role"];
          "user_id"?: string;
        };
        Relationships: [];
      };
      "credit_plans": {
        Row: {
          "allowed_models": (string)[] | null;
          "created_at": string;
          "credit_limit": number;
          "free_cancels_per_day": number;
          "keep_outputs_days": number | null;
          "max_concurrent_jobs": number;
          "monthly_credits": number;
          "name": string;
          "rate_limit_requests": number;
          "rate_limit_window_seconds": number;
          "rate_step": string;
          "rate_window": string;
          "refill_day": string;
          "refill_priority": number;
          "refill_time_zone": string;
          "refilled_by": string;
          "roll_over": string;
          "roll_over_cap": number;
          "scheduled_credits": number;
          "upgrade_gives": string;
        };
        ComputedFields: never;
        Insert: {
          "allowed_models"?: (string)[] | null;
          "created_at"?: string;
          "credit_limit"?: number;
          "free_cancels_per_day"?: number;
          "keep_outputs_days"?: number | null;
          "max_concurrent_jobs"?: number;
          "monthly_credits"?: number;
          "name": string;
          "rate_limit_requests"?: number;
          "rate_limit_window_seconds"?: number;
          "rate_step"?: never;
          "rate_window"?: never;
          "refill_day"?: string;
          "refill_priority"?: number;
          "refill_time_zone"?: string;
          "refilled_by"?: string;
          "roll_over"?: string;
          "roll_over_cap"?: number;
          "scheduled_credits"?: never;
          "upgrade_gives"?: string;
        };
        Update: {
          "allowed_models"?: (string)[] | null;
          "created_at"?: string;
          "credit_limit"?: number;
          "free_cancels_per_day"?: number;
          "keep_outputs_days"?: number | null;
          "max_concurrent_jobs"?: number;
          "monthly_credits"?: number;
          "name"?: string;
          "rate_limit_requests"?: number;
          "rate_limit_window_seconds"?: number;
          "rate_step"?: never;
          "rate_window"?: never;
          "refill_day"?: string;
          "refill_priority"?: number;
          "refill_time_zone"?: string;
          "refilled_by"?: string;
          "roll_over"?: string;
          "roll_over_cap"?: number;
          "scheduled_credits"?: never;
          "upgrade_gives"?: string;
        };
        Relationships: [];
      };
      "credit_products": {
        Row: {
          "created_at": string;
          "credits": number;
          "currency": string;
          "effective_from": string;
          "enabled": boolean;
          "expires_after_seconds": number | null;
          "kind": string;
          "livemode": boolean;
          "max_quantity": number;
          "name": string;
          "plan": string | null;
          "priority": number;
          "provider": string;
          "provider_price_id": string;
          "trial_credits": number;
          "unit_amount": number;
          "upgrade_gives": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "credits": number;
          "currency": string;
          "effective_from"?: string;
          "enabled"?: boolean;
          "expires_after_seconds"?: number | null;
          "kind": string;
          "livemode": boolean;
          "max_quantity"?: number;
          "name": string;
          "plan"?: string | null;
          "priority"?: number;
          "provider": string;
          "provider_price_id": string;
          "trial_credits"?: number;
          "unit_amount": number;
          "upgrade_gives"?: string;
        };
        Update: {
          "created_at"?: string;
          "credits"?: number;
          "currency"?: string;
          "effective_from"?: string;
          "enabled"?: boolean;
          "expires_after_seconds"?: number | null;
          "kind"?: string;
          "livemode"?: boolean;
          "max_quantity"?: number;
          "name"?: string;
          "plan"?: string | null;
          "priority"?: number;
          "provider"?: string;
          "provider_price_id"?: string;
          "trial_credits"?: number;
          "unit_amount"?: number;
          "upgrade_gives"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "credit_products_plan_fkey";
            columns: ["plan"];
            isOneToOne: false;
            referencedRelation: "credit_plans";
            referencedColumns: ["name"];
          },
        ];
      };
      "credit_request_events": {
        Row: {
          "account_id": string;
          "code": string;
          "created_at": string;
          "id": string;
          "job_id": string | null;
          "member_id": string | null;
          "model": string | null;
          "request_id": string | null;
          "status": number;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "code": string;
          "created_at"?: string;
          "id"?: string;
          "job_id"?: string | null;
          "member_id"?: string | null;
          "model"?: string | null;
          "request_id"?: string | null;
          "status": number;
        };
        Update: {
          "account_id"?: string;
          "code"?: string;
          "created_at"?: string;
          "id"?: string;
          "job_id"?: string | null;
          "member_id"?: string | null;
          "model"?: string | null;
          "request_id"?: string | null;
          "status"?: number;
        };
        Relationships: [];
      };
      "credit_scheduled_tasks": {
        Row: {
          "command": string;
          "created_at": string;
          "description": string;
          "enabled": boolean;
          "max_age": string;
          "name": string;
          "repeats": boolean;
          "schedule": string;
        };
        ComputedFields: never;
        Insert: {
          "command": string;
          "created_at"?: string;
          "description": string;
          "enabled"?: boolean;
          "max_age": string;
          "name": string;
          "repeats"?: boolean;
          "schedule": string;
        };
        Update: {
          "command"?: string;
          "created_at"?: string;
          "description"?: string;
          "enabled"?: boolean;
          "max_age"?: string;
          "name"?: string;
          "repeats"?: boolean;
          "schedule"?: string;
        };
        Relationships: [];
      };
      "credit_settings": {
        Row: {
          "broadcast_balance": boolean;
          "callback_providers": (string)[];
          "charge_interrupted_text": boolean;
          "erase_on_user_deletion": boolean;
          "expiry_notice_seconds": number;
          "history_days": number;
          "late_outputs": string;
          "low_balance_credits": number;
          "on_dispute": string;
          "only_row": boolean;
          "output_url_seconds": number;
          "refund_grace_seconds": number;
          "request_events_months": number;
          "request_timeout_seconds": number;
          "settle_margin_seconds": number;
          "sign_up_credits": number;
          "sign_up_grants_per_hour": number | null;
          "text_store": string;
        };
        ComputedFields: never;
        Insert: {
          "broadcast_balance"?: boolean;
          "callback_providers"?: (string)[];
          "charge_interrupted_text"?: boolean;
          "erase_on_user_deletion"?: boolean;
          "expiry_notice_seconds"?: number;
          "history_days"?: number;
          "late_outputs"?: string;
          "low_balance_credits"?: number;
          "on_dispute"?: string;
          "only_row"?: boolean;
          "output_url_seconds"?: number;
          "refund_grace_seconds"?: number;
          "request_events_months"?: number;
          "request_timeout_seconds"?: number;
          "settle_margin_seconds"?: number;
          "sign_up_credits"?: number;
          "sign_up_grants_per_hour"?: number | null;
          "text_store"?: string;
        };
        Update: {
          "broadcast_balance"?: boolean;
          "callback_providers"?: (string)[];
          "charge_interrupted_text"?: boolean;
          "erase_on_user_deletion"?: boolean;
          "expiry_notice_seconds"?: number;
          "history_days"?: number;
          "late_outputs"?: string;
          "low_balance_credits"?: number;
          "on_dispute"?: string;
          "only_row"?: boolean;
          "output_url_seconds"?: number;
          "refund_grace_seconds"?: number;
          "request_events_months"?: number;
          "request_timeout_seconds"?: number;
          "settle_margin_seconds"?: number;
          "sign_up_credits"?: number;
          "sign_up_grants_per_hour"?: number | null;
          "text_store"?: string;
        };
        Relationships: [];
      };
      "credit_sign_up_grants": {
        Row: {
          "account_id": string;
          "created_at": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "created_at"?: string;
        };
        Update: {
          "account_id"?: string;
          "created_at"?: string;
        };
        Relationships: [];
      };
      "credit_task_runs": {
        Row: {
          "detail": string | null;
          "done": number | null;
          "finished_at": string;
          "id": number;
          "ok": boolean;
          "started_at": string;
          "task": string;
        };
        ComputedFields: never;
        Insert: {
          "detail"?: string | null;
          "done"?: number | null;
          "finished_at": string;
          "id"?: never;
          "ok": boolean;
          "started_at": string;
          "task": string;
        };
        Update: {
          "detail"?: string | null;
          "done"?: number | null;
          "finished_at"?: string;
          "id"?: never;
          "ok"?: boolean;
          "started_at"?: string;
          "task"?: string;
        };
        Relationships: [];
      };
      "credit_transfers": {
        Row: {
          "amount": number;
          "created_at": string;
          "external_ref": string;
          "from_account_id": string;
          "reason": string | null;
          "to_account_id": string;
        };
        ComputedFields: never;
        Insert: {
          "amount": number;
          "created_at"?: string;
          "external_ref": string;
          "from_account_id": string;
          "reason"?: string | null;
          "to_account_id": string;
        };
        Update: {
          "amount"?: number;
          "created_at"?: string;
          "external_ref"?: string;
          "from_account_id"?: string;
          "reason"?: string | null;
          "to_account_id"?: string;
        };
        Relationships: [];
      };
      "credit_transfers_received": {
        Row: {
          "account_id": string;
          "amount": number;
          "external_ref": string;
          "from_account_id": string;
          "received_at": string;
          "refusal": string | null;
          "transfer_id": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "amount": number;
          "external_ref": string;
          "from_account_id": string;
          "received_at"?: string;
          "refusal"?: string | null;
          "transfer_id": string;
        };
        Update: {
          "account_id"?: string;
          "amount"?: number;
          "external_ref"?: string;
          "from_account_id"?: string;
          "received_at"?: string;
          "refusal"?: string | null;
          "transfer_id"?: string;
        };
        Relationships: [];
      };
      "credit_transfers_sent": {
        Row: {
          "account_id": string;
          "amount": number;
          "arrived_at": string | null;
          "attempts": number;
          "external_ref": string;
          "next_attempt_at": string | null;
          "parts": NonNullable<Json>;
          "refusal": string | null;
          "returned_at": string | null;
          "sent_at": string;
          "to_account_id": string;
          "transfer_id": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "amount": number;
          "arrived_at"?: string | null;
          "attempts"?: number;
          "external_ref": string;
          "next_attempt_at"?: string | null;
          "parts": NonNullable<Json>;
          "refusal"?: string | null;
          "returned_at"?: string | null;
          "sent_at"?: string;
          "to_account_id": string;
          "transfer_id": string;
        };
        Update: {
          "account_id"?: string;
          "amount"?: number;
          "arrived_at"?: string | null;
          "attempts"?: number;
          "external_ref"?: string;
          "next_attempt_at"?: string | null;
          "parts"?: NonNullable<Json>;
          "refusal"?: string | null;
          "returned_at"?: string | null;
          "sent_at"?: string;
          "to_account_id"?: string;
          "transfer_id"?: string;
        };
        Relationships: [];
      };
      "credit_withdrawals": {
        Row: {
          "account_id": string;
          "amount": number | null;
          "created_at": string;
          "external_ref": string;
          "grant_id": number | null;
          "withdrawn": number;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "amount"?: number | null;
          "created_at"?: string;
          "external_ref": string;
          "grant_id"?: number | null;
          "withdrawn": number;
        };
        Update: {
          "account_id"?: string;
          "amount"?: number | null;
          "created_at"?: string;
          "external_ref"?: string;
          "grant_id"?: number | null;
          "withdrawn"?: number;
        };
        Relationships: [];
      };
      "generation_jobs": {
        Row: {
          "account_id": string;
          "actual_cost": number | null;
          "cost": number;
          "created_at": string;
          "deadline_at": string;
          "ended_at": string | null;
          "erased_at": string | null;
          "error": Json | null;
          "id": string;
          "idempotency_key": string | null;
          "input": NonNullable<Json>;
          "late_settled_at": string | null;
          "member_id": string | null;
          "model": string;
          "output": Json | null;
          "output_deleted_at": string | null;
          "price_effective_from": string;
          "provider": string;
          "provider_job_id": string | null;
          "refunded": number;
          "request_hash": string;
          "request_id": string | null;
          "seal": string | null;
          "started_at": string | null;
          "status": Database["public"]["Enums"]["generation_job_status"];
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "actual_cost"?: number | null;
          "cost": number;
          "created_at"?: string;
          "deadline_at": string;
          "ended_at"?: string | null;
          "erased_at"?: string | null;
          "error"?: Json | null;
          "id"?: string;
          "idempotency_key"?: string | null;
          "input": NonNullable<Json>;
          "late_settled_at"?: string | null;
          "member_id"?: string | null;
          "model": string;
          "output"?: Json | null;
          "output_deleted_at"?: string | null;
          "price_effective_from": string;
          "provider": string;
          "provider_job_id"?: string | null;
          "refunded"?: number;
          "request_hash": string;
          "request_id"?: string | null;
          "seal"?: string | null;
          "started_at"?: string | null;
          "status"?: Database["public"]["Enums"]["generation_job_status"];
        };
        Update: {
          "account_id"?: string;
          "actual_cost"?: number | null;
          "cost"?: number;
          "created_at"?: string;
          "deadline_at"?: string;
          "ended_at"?: string | null;
          "erased_at"?: string | null;
          "error"?: Json | null;
          "id"?: string;
          "idempotency_key"?: string | null;
          "input"?: NonNullable<Json>;
          "late_settled_at"?: string | null;
          "member_id"?: string | null;
          "model"?: string;
          "output"?: Json | null;
          "output_deleted_at"?: string | null;
          "price_effective_from"?: string;
          "provider"?: string;
          "provider_job_id"?: string | null;
          "refunded"?: number;
          "request_hash"?: string;
          "request_id"?: string | null;
          "seal"?: string | null;
          "started_at"?: string | null;
          "status"?: Database["public"]["Enums"]["generation_job_status"];
        };
        Relationships: [];
      };
      "generation_model_costs": {
        Row: {
          "credits_per_usd": number;
          "effective_from": string;
          "meter": string;
          "model": string;
          "per": number;
          "usd": number;
        };
        ComputedFields: never;
        Insert: {
          "credits_per_usd": number;
          "effective_from": string;
          "meter": string;
          "model": string;
          "per"?: number;
          "usd": number;
        };
        Update: {
          "credits_per_usd"?: number;
          "effective_from"?: string;
          "meter"?: string;
          "model"?: string;
          "per"?: number;
          "usd"?: number;
        };
        Relationships: [
          {
            foreignKeyName:
              "generation_model_costs_model_effective_from_meter_fkey";
            columns: ["model", "effective_from", "meter"];
            isOneToOne: true;
            referencedRelation: "generation_model_rates";
            referencedColumns: ["model", "effective_from", "meter"];
          },
        ];
      };
      "generation_model_rates": {
        Row: {
          "effective_from": string;
          "meter": string;
          "model": string;
          "per": number;
          "price": number;
        };
        ComputedFields: never;
        Insert: {
          "effective_from": string;
          "meter": string;
          "model": string;
          "per"?: number;
          "price": number;
        };
        Update: {
          "effective_from"?: string;
          "meter"?: string;
          "model"?: string;
          "per"?: number;
          "price"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "generation_model_rates_model_effective_from_fkey";
            columns: ["model", "effective_from"];
            isOneToOne: false;
            referencedRelation: "generation_models";
            referencedColumns: ["name", "effective_from"];
          },
          {
            foreignKeyName: "generation_model_rates_model_effective_from_fkey";
            columns: ["model", "effective_from"];
            isOneToOne: false;
            referencedRelation: "operator_models";
            referencedColumns: ["model", "effective_from"];
          },
        ];
      };
      "generation_models": {
        Row: {
          "allowed_sizes": (string)[] | null;
          "created_at": string;
          "default_height": number;
          "default_output_tokens": number;
          "default_seconds": number | null;
          "default_width": number;
          "effective_from": string;
          "enabled": boolean;
          "formats": (string)[] | null;
          "hard_timeout_seconds": number;
          "image_tokens": number | null;
          "max_height": number;
          "max_input_tokens": number;
          "max_n": number;
          "max_output_bytes": number;
          "max_output_tokens": number;
          "max_prompt_length": number;
          "max_seconds": number;
          "max_width": number;
          "meters": (string)[];
          "min_height": number;
          "min_width": number;
          "name": string;
          "overage": string;
          "prices": (number)[];
          "provider": string;
          "provider_model": string;
          "reasons": boolean;
          "timeout_seconds": number;
          "type": string | null;
          "voices": (string)[] | null;
        };
        ComputedFields: never;
        Insert: {
          "allowed_sizes"?: (string)[] | null;
          "created_at"?: string;
          "default_height"?: number;
          "default_output_tokens"?: number;
          "default_seconds"?: number | null;
          "default_width"?: number;
          "effective_from"?: string;
          "enabled"?: boolean;
          "formats"?: (string)[] | null;
          "hard_timeout_seconds"?: number;
          "image_tokens"?: number | null;
          "max_height"?: number;
          "max_input_tokens"?: number;
          "max_n"?: number;
          "max_output_bytes"?: number;
          "max_output_tokens"?: number;
          "max_prompt_length"?: number;
          "max_seconds"?: number;
          "max_width"?: number;
          "meters"?: (string)[];
          "min_height"?: number;
          "min_width"?: number;
          "name": string;
          "overage"?: string;
          "prices"?: (number)[];
          "provider": string;
          "provider_model": string;
          "reasons"?: boolean;
          "timeout_seconds"?: number;
          "type"?: string | null;
          "voices"?: (string)[] | null;
        };
        Update: {
          "allowed_sizes"?: (string)[] | null;
          "created_at"?: string;
          "default_height"?: number;
          "default_output_tokens"?: number;
          "default_seconds"?: number | null;
          "default_width"?: number;
          "effective_from"?: string;
          "enabled"?: boolean;
          "formats"?: (string)[] | null;
          "hard_timeout_seconds"?: number;
          "image_tokens"?: number | null;
          "max_height"?: number;
          "max_input_tokens"?: number;
          "max_n"?: number;
          "max_output_bytes"?: number;
          "max_output_tokens"?: number;
          "max_prompt_length"?: number;
          "max_seconds"?: number;
          "max_width"?: number;
          "meters"?: (string)[];
          "min_height"?: number;
          "min_width"?: number;
          "name"?: string;
          "overage"?: string;
          "prices"?: (number)[];
          "provider"?: string;
          "provider_model"?: string;
          "reasons"?: boolean;
          "timeout_seconds"?: number;
          "type"?: string | null;
          "voices"?: (string)[] | null;
        };
        Relationships: [];
      };
      "generation_provider_jobs": {
        Row: {
          "account_id": string;
          "asked_at": string | null;
          "asks": number;
          "cancel_requested_at": string | null;
          "expected_by": string;
          "job_id": string;
          "last_answer": string | null;
          "last_error": Json | null;
          "next_ask_at": string;
          "urls": Json | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "asked_at"?: string | null;
          "asks"?: number;
          "cancel_requested_at"?: string | null;
          "expected_by": string;
          "job_id": string;
          "last_answer"?: string | null;
          "last_error"?: Json | null;
          "next_ask_at": string;
          "urls"?: Json | null;
        };
        Update: {
          "account_id"?: string;
          "asked_at"?: string | null;
          "asks"?: number;
          "cancel_requested_at"?: string | null;
          "expected_by"?: string;
          "job_id"?: string;
          "last_answer"?: string | null;
          "last_error"?: Json | null;
          "next_ask_at"?: string;
          "urls"?: Json | null;
        };
        Relationships: [];
      };
      "generation_uploads": {
        Row: {
          "account_id": string;
          "bytes": number;
          "created_at": string;
          "deleted_at": string | null;
          "id": string;
          "media_type": string;
          "member_id": string | null;
          "path": string;
          "used_at": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "bytes": number;
          "created_at"?: string;
          "deleted_at"?: string | null;
          "id"?: string;
          "media_type": string;
          "member_id"?: string | null;
          "path"?: never;
          "used_at"?: string | null;
        };
        Update: {
          "account_id"?: string;
          "bytes"?: number;
          "created_at"?: string;
          "deleted_at"?: string | null;
          "id"?: string;
          "media_type"?: string;
          "member_id"?: string | null;
          "path"?: never;
          "used_at"?: string | null;
        };
        Relationships: [];
      };
      "generation_usage": {
        Row: {
          "account_id": string;
          "app_key_id": string | null;
          "job_id": string;
          "noted_at": string;
          "usage": Json | null;
          "usage_source": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "app_key_id"?: string | null;
          "job_id": string;
          "noted_at"?: string;
          "usage"?: Json | null;
          "usage_source"?: string | null;
        };
        Update: {
          "account_id"?: string;
          "app_key_id"?: string | null;
          "job_id"?: string;
          "noted_at"?: string;
          "usage"?: Json | null;
          "usage_source"?: string | null;
        };
        Relationships: [];
      };
      "operator_actions": {
        Row: {
          "account_id": string | null;
          "action": string;
          "after": Json | null;
          "approval_id": string | null;
          "arguments": NonNullable<Json>;
          "before": Json | null;
          "created_at": string;
          "credits": number | null;
          "first_seq": number | null;
          "hash": string;
          "idempotency_key": string;
          "last_seq": number | null;
          "operator_id": string;
          "reason": string;
          "seq": number;
          "subject": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "action": string;
          "after"?: Json | null;
          "approval_id"?: string | null;
          "arguments": NonNullable<Json>;
          "before"?: Json | null;
          "created_at": string;
          "credits"?: number | null;
          "first_seq"?: number | null;
          "hash": string;
          "idempotency_key": string;
          "last_seq"?: number | null;
          "operator_id": string;
          "reason": string;
          "seq": number;
          "subject"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "action"?: string;
          "after"?: Json | null;
          "approval_id"?: string | null;
          "arguments"?: NonNullable<Json>;
          "before"?: Json | null;
          "created_at"?: string;
          "credits"?: number | null;
          "first_seq"?: number | null;
          "hash"?: string;
          "idempotency_key"?: string;
          "last_seq"?: number | null;
          "operator_id"?: string;
          "reason"?: string;
          "seq"?: number;
          "subject"?: string | null;
        };
        Relationships: [];
      };
      "operator_approvals": {
        Row: {
          "account_id": string | null;
          "action": string;
          "arguments": NonNullable<Json>;
          "created_at": string;
          "credits": number;
          "decided_at": string | null;
          "decided_by": string | null;
          "decision_reason": string | null;
          "expires_at": string;
          "id": string;
          "idempotency_key": string;
          "operator_id": string;
          "reason": string;
          "state": string;
          "subject": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "action": string;
          "arguments": NonNullable<Json>;
          "created_at"?: string;
          "credits": number;
          "decided_at"?: string | null;
          "decided_by"?: string | null;
          "decision_reason"?: string | null;
          "expires_at"?: string;
          "id"?: string;
          "idempotency_key": string;
          "operator_id": string;
          "reason": string;
          "state"?: string;
          "subject"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "action"?: string;
          "arguments"?: NonNullable<Json>;
          "created_at"?: string;
          "credits"?: number;
          "decided_at"?: string | null;
          "decided_by"?: string | null;
          "decision_reason"?: string | null;
          "expires_at"?: string;
          "id"?: string;
          "idempotency_key"?: string;
          "operator_id"?: string;
          "reason"?: string;
          "state"?: string;
          "subject"?: string | null;
        };
        Relationships: [];
      };
      "payment_customers": {
        Row: {
          "account_id": string;
          "created_at": string;
          "customer_id": string;
          "livemode": boolean;
          "provider": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "created_at"?: string;
          "customer_id": string;
          "livemode": boolean;
          "provider": string;
        };
        Update: {
          "account_id"?: string;
          "created_at"?: string;
          "customer_id"?: string;
          "livemode"?: boolean;
          "provider"?: string;
        };
        Relationships: [];
      };
      "payment_disputes": {
        Row: {
          "account_id": string | null;
          "amount": number;
          "dispute_id": string;
          "ended_at": string | null;
          "fee": number | null;
          "froze_at": string | null;
          "opened_at": string | null;
          "payment_key": string;
          "provider": string;
          "reinstated": number;
          "response": string;
          "status": string;
          "updated_at": string;
          "withdrawn": number;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "amount": number;
          "dispute_id": string;
          "ended_at"?: string | null;
          "fee"?: number | null;
          "froze_at"?: string | null;
          "opened_at"?: string | null;
          "payment_key": string;
          "provider": string;
          "reinstated": number;
          "response": string;
          "status": string;
          "updated_at"?: string;
          "withdrawn": number;
        };
        Update: {
          "account_id"?: string | null;
          "amount"?: number;
          "dispute_id"?: string;
          "ended_at"?: string | null;
          "fee"?: number | null;
          "froze_at"?: string | null;
          "opened_at"?: string | null;
          "payment_key"?: string;
          "provider"?: string;
          "reinstated"?: number;
          "response"?: string;
          "status"?: string;
          "updated_at"?: string;
          "withdrawn"?: number;
        };
        Relationships: [];
      };
      "payment_events": {
        Row: {
          "account_id": string | null;
          "cause": string | null;
          "created_at": string | null;
          "event_id": string;
          "livemode": boolean;
          "object_id": string | null;
          "outcome": string;
          "payment_key": string | null;
          "provider": string;
          "received_at": string;
          "tries": number;
          "type": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "cause"?: string | null;
          "created_at"?: string | null;
          "event_id": string;
          "livemode": boolean;
          "object_id"?: string | null;
          "outcome": string;
          "payment_key"?: string | null;
          "provider": string;
          "received_at"?: string;
          "tries"?: number;
          "type": string;
          "updated_at"?: string;
        };
        Update: {
          "account_id"?: string | null;
          "cause"?: string | null;
          "created_at"?: string | null;
          "event_id"?: string;
          "livemode"?: boolean;
          "object_id"?: string | null;
          "outcome"?: string;
          "payment_key"?: string | null;
          "provider"?: string;
          "received_at"?: string;
          "tries"?: number;
          "type"?: string;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "payment_subscriptions": {
        Row: {
          "account_id": string | null;
          "as_of": string;
          "cancel_at_period_end": boolean;
          "cause": string | null;
          "claimed_account_id": string | null;
          "created_at": string;
          "current_period_end": string | null;
          "current_period_start": string | null;
          "customer_id": string | null;
          "has_plan": boolean;
          "items": NonNullable<Json>;
          "livemode": boolean;
          "plan": string | null;
          "product": string | null;
          "provider": string;
          "quantity": number | null;
          "status": string;
          "subscription_id": string;
          "trial_end": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "as_of": string;
          "cancel_at_period_end"?: boolean;
          "cause"?: string | null;
          "claimed_account_id"?: string | null;
          "created_at": string;
          "current_period_end"?: string | null;
          "current_period_start"?: string | null;
          "customer_id"?: string | null;
          "has_plan"?: boolean;
          "items"?: NonNullable<Json>;
          "livemode": boolean;
          "plan"?: string | null;
          "product"?: string | null;
          "provider": string;
          "quantity"?: number | null;
          "status": string;
          "subscription_id": string;
          "trial_end"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "account_id"?: string | null;
          "as_of"?: string;
          "cancel_at_period_end"?: boolean;
          "cause"?: string | null;
          "claimed_account_id"?: string | null;
          "created_at"?: string;
          "current_period_end"?: string | null;
          "current_period_start"?: string | null;
          "customer_id"?: string | null;
          "has_plan"?: boolean;
          "items"?: NonNullable<Json>;
          "livemode"?: boolean;
          "plan"?: string | null;
          "product"?: string | null;
          "provider"?: string;
          "quantity"?: number | null;
          "status"?: string;
          "subscription_id"?: string;
          "trial_end"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "payments": {
        Row: {
          "account_id": string | null;
          "amount": number;
          "booked_at": string | null;
          "cause": string | null;
          "charge_id": string | null;
          "claimed_account_id": string | null;
          "created_at": string;
          "credits": number;
          "currency": string | null;
          "customer_id": string | null;
          "disputed": number;
          "fee": number | null;
          "grant_id": number | null;
          "intent_id": string | null;
          "invoice_id": string | null;
          "key": string;
          "kind": string;
          "lines": NonNullable<Json>;
          "livemode": boolean;
          "paid_at": string | null;
          "period_end": string | null;
          "period_start": string | null;
          "product": string | null;
          "product_effective_from": string | null;
          "provider": string;
          "quantity": number | null;
          "refunded": number;
          "refunds": NonNullable<Json>;
          "reversed_credits": number;
          "seal": string | null;
          "session_id": string | null;
          "state": string;
          "status": string;
          "subscription_id": string | null;
          "tries": number;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "amount"?: number;
          "booked_at"?: string | null;
          "cause"?: string | null;
          "charge_id"?: string | null;
          "claimed_account_id"?: string | null;
          "created_at": string;
          "credits"?: number;
          "currency"?: string | null;
          "customer_id"?: string | null;
          "disputed"?: number;
          "fee"?: number | null;
          "grant_id"?: number | null;
          "intent_id"?: string | null;
          "invoice_id"?: string | null;
          "key": string;
          "kind": string;
          "lines"?: NonNullable<Json>;
          "livemode": boolean;
          "paid_at"?: string | null;
          "period_end"?: string | null;
          "period_start"?: string | null;
          "product"?: string | null;
          "product_effective_from"?: string | null;
          "provider": string;
          "quantity"?: number | null;
          "refunded"?: number;
          "refunds"?: NonNullable<Json>;
          "reversed_credits"?: number;
          "seal"?: string | null;
          "session_id"?: string | null;
          "state"?: string;
          "status"?: string;
          "subscription_id"?: string | null;
          "tries"?: number;
          "updated_at"?: string;
        };
        Update: {
          "account_id"?: string | null;
          "amount"?: number;
          "booked_at"?: string | null;
          "cause"?: string | null;
          "charge_id"?: string | null;
          "claimed_account_id"?: string | null;
          "created_at"?: string;
          "credits"?: number;
          "currency"?: string | null;
          "customer_id"?: string | null;
          "disputed"?: number;
          "fee"?: number | null;
          "grant_id"?: number | null;
          "intent_id"?: string | null;
          "invoice_id"?: string | null;
          "key"?: string;
          "kind"?: string;
          "lines"?: NonNullable<Json>;
          "livemode"?: boolean;
          "paid_at"?: string | null;
          "period_end"?: string | null;
          "period_start"?: string | null;
          "product"?: string | null;
          "product_effective_from"?: string | null;
          "provider"?: string;
          "quantity"?: number | null;
          "refunded"?: number;
          "refunds"?: NonNullable<Json>;
          "reversed_credits"?: number;
          "seal"?: string | null;
          "session_id"?: string | null;
          "state"?: string;
          "status"?: string;
          "subscription_id"?: string | null;
          "tries"?: number;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "reconciliation_classes": {
        Row: {
          "invariant": string;
          "likely_cause": string;
          "meaning": string;
          "remedy": string;
        };
        ComputedFields: never;
        Insert: {
          "invariant": string;
          "likely_cause": string;
          "meaning": string;
          "remedy": string;
        };
        Update: {
          "invariant"?: string;
          "likely_cause"?: string;
          "meaning"?: string;
          "remedy"?: string;
        };
        Relationships: [];
      };
      "reconciliation_findings": {
        Row: {
          "account_id": string;
          "actual": number | null;
          "expected": number | null;
          "grant_id": number | null;
          "id": number;
          "invariant": string;
          "job_id": string | null;
          "payment_key": string | null;
          "run_id": number;
          "seq": number | null;
          "since": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "actual"?: number | null;
          "expected"?: number | null;
          "grant_id"?: number | null;
          "id"?: never;
          "invariant": string;
          "job_id"?: string | null;
          "payment_key"?: string | null;
          "run_id": number;
          "seq"?: number | null;
          "since"?: string | null;
        };
        Update: {
          "account_id"?: string;
          "actual"?: number | null;
          "expected"?: number | null;
          "grant_id"?: number | null;
          "id"?: never;
          "invariant"?: string;
          "job_id"?: string | null;
          "payment_key"?: string | null;
          "run_id"?: number;
          "seq"?: number | null;
          "since"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "reconciliation_findings_invariant_fkey";
            columns: ["invariant"];
            isOneToOne: false;
            referencedRelation: "reconciliation_classes";
            referencedColumns: ["invariant"];
          },
          {
            foreignKeyName: "reconciliation_findings_run_id_fkey";
            columns: ["run_id"];
            isOneToOne: false;
            referencedRelation: "operator_reconciliations";
            referencedColumns: ["run_id"];
          },
          {
            foreignKeyName: "reconciliation_findings_run_id_fkey";
            columns: ["run_id"];
            isOneToOne: false;
            referencedRelation: "reconciliation_runs";
            referencedColumns: ["id"];
          },
        ];
      };
      "reconciliation_runs": {
        Row: {
          "accounts_broken": number;
          "accounts_checked": number;
          "deep": boolean;
          "discrepancies": number;
          "entries_checked": number;
          "finished_at": string;
          "id": number;
          "started_at": string;
          "unseen_from": number | null;
        };
        ComputedFields: never;
        Insert: {
          "accounts_broken"?: number;
          "accounts_checked"?: number;
          "deep": boolean;
          "discrepancies"?: number;
          "entries_checked"?: number;
          "finished_at"?: string;
          "id"?: never;
          "started_at"?: string;
          "unseen_from"?: number | null;
        };
        Update: {
          "accounts_broken"?: number;
          "accounts_checked"?: number;
          "deep"?: boolean;
          "discrepancies"?: number;
          "entries_checked"?: number;
          "finished_at"?: string;
          "id"?: never;
          "started_at"?: string;
          "unseen_from"?: number | null;
        };
        Relationships: [];
      };
    };
    Views: {
      "account_balances": {
        Row: {
          "account_id": string;
          "balance": number | null;
          "booked_balance": number;
          "credit_limit": number;
          "plan": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "balance"?: never;
          "booked_balance"?: number | null;
          "credit_limit"?: number | null;
          "plan"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "balance"?: never;
          "booked_balance"?: number | null;
          "credit_limit"?: number | null;
          "plan"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "credit_accounts_plan_fkey";
            columns: ["plan"];
            isOneToOne: false;
            referencedRelation: "credit_plans";
            referencedColumns: ["name"];
          },
        ];
      };
      "account_teams_without_owner": {
        Row: {
          "account_id": string;
          "balance": number;
          "frozen_at": string | null;
          "members": number | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "balance"?: number | null;
          "frozen_at"?: string | null;
          "members"?: never;
        };
        Update: {
          "account_id"?: string | null;
          "balance"?: number | null;
          "frozen_at"?: string | null;
          "members"?: never;
        };
        Relationships: [];
      };
      "credit_anomalies": {
        Row: {
          "account_id": string | null;
          "detail": string | null;
          "observed": number | null;
          "rule": string | null;
          "since": string | null;
          "threshold": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "credit_journal": {
        Row: {
          "account_id": string | null;
          "amount": number | null;
          "book": string | null;
          "created_at": string | null;
          "credit": number | null;
          "debit": number | null;
          "debt_seq": number | null;
          "grant_id": number | null;
          "job_id": string | null;
          "kind": Database["public"]["Enums"]["credit_entry_kind"] | null;
          "seq": number | null;
          "transfer_id": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "credit_ledger_chain_breaks": {
        Row: {
          "account_id": string;
          "checked": number | null;
          "last_entry_at": string;
          "last_seq": number;
          "problem": string | null;
          "seq": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "credit_liability_daily": {
        Row: {
          "change": number | null;
          "day": string | null;
          "in_flight": number | null;
          "outstanding": number | null;
          "overdrawn": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "credit_rate_limit_hits": {
        Row: {
          "account_id": string;
          "code": string;
          "hits": number | null;
          "hour": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "credit_request_trail": {
        Row: {
          "account_id": string | null;
          "at": string | null;
          "credits": number | null;
          "detail": string | null;
          "job_id": string | null;
          "request_id": string | null;
          "step": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "credit_revenue_daily": {
        Row: {
          "breakage": number | null;
          "day": string | null;
          "promotional": number | null;
          "recognised": number | null;
          "reserved": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "credit_transfer_totals": {
        Row: {
          "arrived": number | null;
          "in_flight": number | null;
          "moved": number | null;
          "received": number | null;
          "returned": number | null;
          "sent": number | null;
          "transfers_in_flight": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "credit_unsettled_jobs": {
        Row: {
          "account_id": string;
          "created_at": string;
          "credits": number | null;
          "deadline_at": string;
          "job_id": string;
          "model": string;
          "overdue": boolean | null;
          "provider": string;
          "status": Database["public"]["Enums"]["generation_job_status"];
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "created_at"?: string | null;
          "credits"?: never;
          "deadline_at"?: string | null;
          "job_id"?: string | null;
          "model"?: string | null;
          "overdue"?: never;
          "provider"?: string | null;
          "status"?:
            | Database["public"]["Enums"]["generation_job_status"]
            | null;
        };
        Update: {
          "account_id"?: string | null;
          "created_at"?: string | null;
          "credits"?: never;
          "deadline_at"?: string | null;
          "job_id"?: string | null;
          "model"?: string | null;
          "overdue"?: never;
          "provider"?: string | null;
          "status"?:
            | Database["public"]["Enums"]["generation_job_status"]
            | null;
        };
        Relationships: [];
      };
      "generation_files": {
        Row: {
          "bytes": number | null;
          "files": number | null;
          "measured_at": string | null;
          "oldest_at": string | null;
          "to_delete": number | null;
          "to_delete_since": string | null;
          "to_move": number | null;
          "unneeded": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "generation_margins": {
        Row: {
          "cost_usd": number | null;
          "credits": number;
          "credits_per_usd": number;
          "effective_from": string;
          "margin_percent": number | null;
          "meter": string;
          "model": string;
          "per": number;
          "price_usd": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "generation_margins_daily": {
        Row: {
          "cost_usd": number | null;
          "credits": number | null;
          "day": string | null;
          "jobs": number | null;
          "jobs_with_cost": number | null;
          "margin_usd": number | null;
          "model": string;
          "revenue_usd": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "generation_stats_hourly": {
        Row: {
          "canceled": number | null;
          "credits_charged": number | null;
          "credits_refunded": number | null;
          "failed": number | null;
          "hour": string | null;
          "jobs": number | null;
          "model": string;
          "open": number | null;
          "p50_seconds": number | null;
          "p95_seconds": number | null;
          "p99_seconds": number | null;
          "provider": string;
          "succeeded": number | null;
          "success_rate": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "operator_account_grants": {
        Row: {
          "account_id": string;
          "amount": number;
          "breakage": number;
          "created_at": string;
          "expires_at": string | null;
          "external_ref": string | null;
          "grace_ends_at": string | null;
          "grant_id": number;
          "kind": Database["public"]["Enums"]["credit_entry_kind"];
          "makes_good": number | null;
          "priority": number;
          "reason": string | null;
          "remaining": number;
          "repaid": number;
          "reversed": number;
          "state": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "amount"?: number | null;
          "breakage"?: number | null;
          "created_at"?: string | null;
          "expires_at"?: string | null;
          "external_ref"?: string | null;
          "grace_ends_at"?: never;
          "grant_id"?: number | null;
          "kind"?: Database["public"]["Enums"]["credit_entry_kind"] | null;
          "makes_good"?: number | null;
          "priority"?: number | null;
          "reason"?: string | null;
          "remaining"?: number | null;
          "repaid"?: number | null;
          "reversed"?: number | null;
          "state"?: never;
        };
        Update: {
          "account_id"?: string | null;
          "amount"?: number | null;
          "breakage"?: number | null;
          "created_at"?: string | null;
          "expires_at"?: string | null;
          "external_ref"?: string | null;
          "grace_ends_at"?: never;
          "grant_id"?: number | null;
          "kind"?: Database["public"]["Enums"]["credit_entry_kind"] | null;
          "makes_good"?: number | null;
          "priority"?: number | null;
          "reason"?: string | null;
          "remaining"?: number | null;
          "repaid"?: number | null;
          "reversed"?: number | null;
          "state"?: never;
        };
        Relationships: [];
      };
      "operator_account_members": {
        Row: {
          "account_id": string;
          "created_at": string;
          "monthly_cap": number | null;
          "role": string;
          "spent": number | null;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "created_at"?: string | null;
          "monthly_cap"?: number | null;
          "role"?: string | null;
          "spent"?: never;
          "user_id"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "created_at"?: string | null;
          "monthly_cap"?: number | null;
          "role"?: string | null;
          "spent"?: never;
          "user_id"?: string | null;
        };
        Relationships: [];
      };
      "operator_accounts": {
        Row: {
          "account_id": string;
          "balance": number | null;
          "booked_balance": number;
          "closed_at": string | null;
          "created_at": string;
          "credit_limit": number;
          "debt": number;
          "entries": number;
          "erased_at": string | null;
          "erasure_requested_at": string | null;
          "is_team": boolean;
          "last_entry_at": string | null;
          "open_jobs": number | null;
          "overdraft_used": number;
          "plan": string;
          "spendable": number | null;
          "state": string | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Relationships: [
          {
            foreignKeyName: "credit_accounts_plan_fkey";
            columns: ["plan"];
            isOneToOne: false;
            referencedRelation: "credit_plans";
            referencedColumns: ["name"];
          },
        ];
      };
      "operator_alerts": {
        Row: {
          "acknowledged_at": string | null;
          "acknowledged_by": string | null;
          "alert_id": string;
          "announced_at": string | null;
          "description": string;
          "detail": string;
          "fired_at": string;
          "is_open": boolean | null;
          "muted_until": string | null;
          "remedy": string | null;
          "resolved_at": string | null;
          "rule": string;
          "severity": string;
          "subject": string;
          "threshold": number;
          "updated_at": string;
          "value": number;
        };
        ComputedFields: never;
        Relationships: [
          {
            foreignKeyName: "credit_alerts_rule_fkey";
            columns: ["rule"];
            isOneToOne: false;
            referencedRelation: "credit_alert_rules";
            referencedColumns: ["name"];
          },
        ];
      };
      "operator_discrepancies": {
        Row: {
          "account_id": string | null;
          "actual": number | null;
          "cause": string;
          "class": string;
          "deep": boolean | null;
          "expected": number | null;
          "finding_id": number;
          "fix": string | null;
          "found_at": string | null;
          "grant_id": number | null;
          "job_id": string | null;
          "meaning": string;
          "payment_key": string | null;
          "remedy": string;
          "run_id": number;
          "seq": number | null;
          "since": string | null;
          "subject": string | null;
        };
        ComputedFields: never;
        Relationships: [
          {
            foreignKeyName: "reconciliation_findings_invariant_fkey";
            columns: ["class"];
            isOneToOne: false;
            referencedRelation: "reconciliation_classes";
            referencedColumns: ["invariant"];
          },
          {
            foreignKeyName: "reconciliation_findings_run_id_fkey";
            columns: ["run_id"];
            isOneToOne: false;
            referencedRelation: "operator_reconciliations";
            referencedColumns: ["run_id"];
          },
          {
            foreignKeyName: "reconciliation_findings_run_id_fkey";
            columns: ["run_id"];
            isOneToOne: false;
            referencedRelation: "reconciliation_runs";
            referencedColumns: ["id"];
          },
        ];
      };
      "operator_events": {
        Row: {
          "account_id": string | null;
          "attempts": number;
          "created_at": string;
          "event_id": string;
          "last_error": string | null;
          "next_attempt_at": string | null;
          "state": string | null;
          "type": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "attempts"?: number | null;
          "created_at"?: string | null;
          "event_id"?: string | null;
          "last_error"?: string | null;
          "next_attempt_at"?: string | null;
          "state"?: never;
          "type"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "attempts"?: number | null;
          "created_at"?: string | null;
          "event_id"?: string | null;
          "last_error"?: string | null;
          "next_attempt_at"?: string | null;
          "state"?: never;
          "type"?: string | null;
        };
        Relationships: [];
      };
      "operator_jobs": {
        Row: {
          "account_id": string;
          "actual_cost": number | null;
          "asked_by": string | null;
          "cost": number;
          "created_at": string;
          "deadline_at": string;
          "ended_at": string | null;
          "erased_at": string | null;
          "error_code": string | null;
          "error_message": string | null;
          "job_id": string;
          "late_settled_at": string | null;
          "member_id": string | null;
          "model": string;
          "output_bytes": number | null;
          "output_deleted_at": string | null;
          "outputs": number | null;
          "paid": number | null;
          "price_effective_from": string;
          "provider": string;
          "provider_job_id": string | null;
          "refunded": number;
          "request": Json | null;
          "request_id": string | null;
          "started_at": string | null;
          "status": Database["public"]["Enums"]["generation_job_status"];
          "usage": Json | null;
          "usage_source": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "operator_log": {
        Row: {
          "account_id": string | null;
          "action": string;
          "after": Json | null;
          "approval_id": string | null;
          "arguments": NonNullable<Json>;
          "before": Json | null;
          "created_at": string;
          "credits": number | null;
          "first_seq": number | null;
          "last_seq": number | null;
          "operator_id": string;
          "reason": string;
          "seq": number;
          "subject": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "action"?: string | null;
          "after"?: Json | null;
          "approval_id"?: string | null;
          "arguments"?: Json | null;
          "before"?: Json | null;
          "created_at"?: string | null;
          "credits"?: number | null;
          "first_seq"?: number | null;
          "last_seq"?: number | null;
          "operator_id"?: string | null;
          "reason"?: string | null;
          "seq"?: number | null;
          "subject"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "action"?: string | null;
          "after"?: Json | null;
          "approval_id"?: string | null;
          "arguments"?: Json | null;
          "before"?: Json | null;
          "created_at"?: string | null;
          "credits"?: number | null;
          "first_seq"?: number | null;
          "last_seq"?: number | null;
          "operator_id"?: string | null;
          "reason"?: string | null;
          "seq"?: number | null;
          "subject"?: string | null;
        };
        Relationships: [];
      };
      "operator_me": {
        Row: {
          "aal": string | null;
          "max_per_action": number | null;
          "max_per_day": number | null;
          "note": string | null;
          "role": Database["public"]["Enums"]["credit_operator_role"] | null;
          "used_today": number | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "operator_models": {
        Row: {
          "created_at": string;
          "credits_per_usd": number | null;
          "effective_from": string;
          "enabled": boolean;
          "least_margin_percent": number | null;
          "model": string;
          "overage": string;
          "provider": string;
          "provider_model": string;
          "rates": Json | null;
          "state": string | null;
          "type": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "operator_payments": {
        Row: {
          "account_id": string | null;
          "amount": number;
          "at": string | null;
          "booked_at": string | null;
          "cause": string | null;
          "charge_id": string | null;
          "claimed_account_id": string | null;
          "created_at": string;
          "credits": number;
          "currency": string | null;
          "customer_id": string | null;
          "disputed": number;
          "fee": number | null;
          "grant_id": number | null;
          "intent_id": string | null;
          "invoice_id": string | null;
          "kind": string;
          "livemode": boolean;
          "paid_at": string | null;
          "payment_key": string;
          "period_end": string | null;
          "period_start": string | null;
          "product": string | null;
          "provider": string;
          "quantity": number | null;
          "refunded": number;
          "remedy": string | null;
          "reversed_credits": number;
          "session_id": string | null;
          "state": string;
          "status": string;
          "subscription_id": string | null;
          "tries": number;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "amount"?: number | null;
          "at"?: never;
          "booked_at"?: string | null;
          "cause"?: string | null;
          "charge_id"?: string | null;
          "claimed_account_id"?: string | null;
          "created_at"?: string | null;
          "credits"?: number | null;
          "currency"?: string | null;
          "customer_id"?: string | null;
          "disputed"?: number | null;
          "fee"?: number | null;
          "grant_id"?: number | null;
          "intent_id"?: string | null;
          "invoice_id"?: string | null;
          "kind"?: string | null;
          "livemode"?: boolean | null;
          "paid_at"?: string | null;
          "payment_key"?: string | null;
          "period_end"?: string | null;
          "period_start"?: string | null;
          "product"?: string | null;
          "provider"?: string | null;
          "quantity"?: number | null;
          "refunded"?: number | null;
          "remedy"?: never;
          "reversed_credits"?: number | null;
          "session_id"?: string | null;
          "state"?: string | null;
          "status"?: string | null;
          "subscription_id"?: string | null;
          "tries"?: number | null;
          "updated_at"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "amount"?: number | null;
          "at"?: never;
          "booked_at"?: string | null;
          "cause"?: string | null;
          "charge_id"?: string | null;
          "claimed_account_id"?: string | null;
          "created_at"?: string | null;
          "credits"?: number | null;
          "currency"?: string | null;
          "customer_id"?: string | null;
          "disputed"?: number | null;
          "fee"?: number | null;
          "grant_id"?: number | null;
          "intent_id"?: string | null;
          "invoice_id"?: string | null;
          "kind"?: string | null;
          "livemode"?: boolean | null;
          "paid_at"?: string | null;
          "payment_key"?: string | null;
          "period_end"?: string | null;
          "period_start"?: string | null;
          "product"?: string | null;
          "provider"?: string | null;
          "quantity"?: number | null;
          "refunded"?: number | null;
          "remedy"?: never;
          "reversed_credits"?: number | null;
          "session_id"?: string | null;
          "state"?: string | null;
          "status"?: string | null;
          "subscription_id"?: string | null;
          "tries"?: number | null;
          "updated_at"?: string | null;
        };
        Relationships: [];
      };
      "operator_providers": {
        Row: {
          "canceled": number | null;
          "credits_charged": number | null;
          "credits_refunded": number | null;
          "failed": number | null;
          "healthy": boolean | null;
          "jobs": number | null;
          "last_failure_at": string | null;
          "last_failure_code": string | null;
          "model": string;
          "open": number | null;
          "p50_seconds": number | null;
          "p95_seconds": number | null;
          "provider": string;
          "succeeded": number | null;
          "success_rate": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "operator_reconciliations": {
        Row: {
          "accounts_broken": number;
          "accounts_checked": number;
          "deep": boolean;
          "discrepancies": number;
          "entries_checked": number;
          "finished_at": string;
          "is_latest": boolean | null;
          "run_id": number;
          "started_at": string;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "operator_team": {
        Row: {
          "created_at": string | null;
          "disabled_at": string | null;
          "max_per_action": number | null;
          "max_per_day": number | null;
          "note": string | null;
          "role": Database["public"]["Enums"]["credit_operator_role"] | null;
          "used_today": number | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "operator_waiting": {
        Row: {
          "account_id": string | null;
          "action": string;
          "approval_id": string;
          "arguments": NonNullable<Json>;
          "created_at": string;
          "credits": number;
          "decided_at": string | null;
          "decided_by": string | null;
          "decision_reason": string | null;
          "expires_at": string;
          "is_mine": boolean | null;
          "operator_id": string;
          "reason": string;
          "state": string | null;
          "subject": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "action"?: string | null;
          "approval_id"?: string | null;
          "arguments"?: Json | null;
          "created_at"?: string | null;
          "credits"?: number | null;
          "decided_at"?: string | null;
          "decided_by"?: string | null;
          "decision_reason"?: string | null;
          "expires_at"?: string | null;
          "is_mine"?: never;
          "operator_id"?: string | null;
          "reason"?: string | null;
          "state"?: never;
          "subject"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "action"?: string | null;
          "approval_id"?: string | null;
          "arguments"?: Json | null;
          "created_at"?: string | null;
          "credits"?: number | null;
          "decided_at"?: string | null;
          "decided_by"?: string | null;
          "decision_reason"?: string | null;
          "expires_at"?: string | null;
          "is_mine"?: never;
          "operator_id"?: string | null;
          "reason"?: string | null;
          "state"?: never;
          "subject"?: string | null;
        };
        Relationships: [];
      };
      "payment_deferred_revenue": {
        Row: {
          "credits_outstanding": number | null;
          "currency": string | null;
          "deferred": number | null;
          "kept": number | null;
          "kind": string;
          "livemode": boolean;
          "product": string | null;
          "provider": string;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "payment_discrepancies": {
        Row: {
          "account_id": string | null;
          "actual": number | null;
          "discrepancy": string | null;
          "expected": number | null;
          "grant_id": number | null;
          "likely_cause": string;
          "payment_key": string | null;
          "remedy": string;
          "since": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "payment_revenue_daily": {
        Row: {
          "credits": number | null;
          "currency": string | null;
          "day": string | null;
          "disputed": number | null;
          "fees": number | null;
          "gross": number | null;
          "kind": string;
          "livemode": boolean;
          "net": number | null;
          "payments": number | null;
          "product": string | null;
          "provider": string;
          "refunded": number | null;
          "reversed_credits": number | null;
          "without_fee": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "reconciliation_discrepancies": {
        Row: {
          "account_id": string | null;
          "actual": number | null;
          "expected": number | null;
          "grant_id": number | null;
          "invariant": string | null;
          "job_id": string | null;
          "likely_cause": string;
          "payment_key": string | null;
          "remedy": string;
          "seq": number | null;
          "since": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "reconciliation_latest": {
        Row: {
          "accounts_broken": number | null;
          "accounts_checked": number | null;
          "deep": boolean | null;
          "discrepancies": number | null;
          "entries_checked": number | null;
          "finished_at": string | null;
          "id": number | null;
          "started_at": string | null;
          "unseen_from": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "reconciliation_summary": {
        Row: {
          "accounts": number | null;
          "balance_total": number | null;
          "charged": number | null;
          "credits_in": number | null;
          "discrepancies": number | null;
          "entries": number | null;
          "in_flight": number | null;
          "ledger_total": number | null;
          "open_jobs": number | null;
          "overdue_jobs": number | null;
          "refunded": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
    };
    Functions: {
      "abandon_text": {
        Args: { "p_job_id": string };
        Returns: Database["public"]["CompositeTypes"]["generation_job_result"];
        SetofOptions: {
          from: "*";
          to: "generation_job_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "account_expiring_grants": {
        Args: { "p_account_id": string };
        Returns: {
          "amount": number;
          "credits_in_all": number;
          "expires_at": string;
          "grants_in_all": number;
          "id": number;
          "kind": Database["public"]["Enums"]["credit_entry_kind"];
          "remaining": number;
        }[];
      };
      "account_models": {
        Args: { "p_account_id": string; "p_app_key_id"?: string };
        Returns: {
          "default_output_tokens": number;
          "effective_from": string;
          "makes": string;
          "max_input_tokens": number;
          "max_output_tokens": number;
          "name": string;
          "provider": string;
          "rates": Json;
        }[];
      };
      "account_statement": {
        Args: { "p_account_id": string; "p_from": string; "p_to": string };
        Returns: {
          "balance": number;
          "created_at": string;
          "credits": number;
          "grant_id": number;
          "job_id": string;
          "kind": Database["public"]["Enums"]["credit_entry_kind"];
          "line": string;
          "reason": string;
          "seq": number;
        }[];
      };
      "account_statement_json": {
        Args: { "p_account_id": string; "p_from": string; "p_to": string };
        Returns: Json;
      };
      "acknowledge_alert": {
        Args: { "p_alert_id": string; "p_by": string };
        Returns: {
          "acknowledged_at": string | null;
          "acknowledged_by": string | null;
          "announced_at": string | null;
          "announced_value": number | null;
          "detail": string;
          "fired_at": string;
          "id": string;
          "resolved_at": string | null;
          "rule": string;
          "severity": string;
          "subject": string;
          "threshold": number;
          "updated_at": string;
          "value": number;
        };
        SetofOptions: {
          from: "*";
          to: "credit_alerts";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "announce_expiring_grants": {
        Args: { "p_limit"?: number };
        Returns: number;
      };
      "apply_retention": { Args: Record<PropertyKey, never>; Returns: number };
      "apply_schedule": { Args: Record<PropertyKey, never>; Returns: number };
      "archive_ledger": {
        Args: { "p_before": string; "p_limit"?: number };
        Returns: Database["public"]["CompositeTypes"]["credit_archive_result"];
        SetofOptions: {
          from: "*";
          to: "credit_archive_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "atomic_charge_credits": {
        Args: {
          "p_account_id": string;
          "p_idempotency_key"?: string;
          "p_input": Json;
          "p_member_id"?: string;
          "p_model": string;
          "p_request_id"?: string;
          "p_start"?: boolean;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_charge_result"];
        SetofOptions: {
          from: "*";
          to: "credit_charge_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "atomic_charge_credits_batch": {
        Args: {
          "p_account_id": string;
          "p_all_or_nothing"?: boolean;
          "p_requests": Json;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_charge_result"][];
        SetofOptions: {
          from: "*";
          to: "credit_charge_result";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "balance_as_of": {
        Args: { "p_account_id": string; "p_at": string };
        Returns: number;
      };
      "book_payment": {
        Args: { "p_event"?: Json; "p_payment": Json };
        Returns: Database["public"]["CompositeTypes"]["payment_result"];
        SetofOptions: {
          from: "*";
          to: "payment_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "book_subscription": {
        Args: { "p_event"?: Json; "p_subscription": Json };
        Returns: Database["public"]["CompositeTypes"]["payment_result"];
        SetofOptions: {
          from: "*";
          to: "payment_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "cancel_generation": {
        Args: {
          "p_acknowledged"?: boolean;
          "p_job_id": string;
          "p_member_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["generation_job_result"];
        SetofOptions: {
          from: "*";
          to: "generation_job_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "charge_by_app_key": {
        Args: {
          "p_account_id": string;
          "p_app_key_id": string;
          "p_idempotency_key"?: string;
          "p_input": Json;
          "p_model": string;
          "p_request_id"?: string;
          "p_start"?: boolean;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_charge_result"];
        SetofOptions: {
          from: "*";
          to: "credit_charge_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "charge_text": {
        Args: {
          "p_account_id": string;
          "p_app_key_id": string;
          "p_idempotency_key"?: string;
          "p_member_id": string;
          "p_model": string;
          "p_request": Json;
          "p_request_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["generation_text_charge"];
        SetofOptions: {
          from: "*";
          to: "generation_text_charge";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "check_input_object": {
        Args: { "p_account_id": string; "p_path": string };
        Returns: string;
      };
      "claim_events": {
        Args: {
          "p_alerts"?: boolean;
          "p_endpoint"?: string;
          "p_limit"?: number;
        };
        Returns: {
          "account_id": string | null;
          "attempts": number;
          "created_at": string;
          "delivered_at": string | null;
          "id": string;
          "last_error": string | null;
          "next_attempt_at": string | null;
          "payload": NonNullable<Json>;
          "type": string;
        }[];
        SetofOptions: {
          from: "*";
          to: "credit_events";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "claim_external_ref": {
        Args: {
          "p_account_id": string;
          "p_external_ref": string;
          "p_instead_of"?: string;
          "p_kind": string;
        };
        Returns: string;
      };
      "claim_outputs_to_move": {
        Args: { "p_limit"?: number };
        Returns:
          Database["public"]["CompositeTypes"]["generation_output_to_move"][];
        SetofOptions: {
          from: "*";
          to: "generation_output_to_move";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "claim_provider_asks": {
        Args: { "p_limit"?: number };
        Returns:
          Database["public"]["CompositeTypes"]["generation_provider_ask"][];
        SetofOptions: {
          from: "*";
          to: "generation_provider_ask";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "claim_storage_deletions": {
        Args: { "p_limit"?: number };
        Returns: string[];
      };
      "correct_job": {
        Args: { "p_job_id": string; "p_reason": string };
        Returns: Database["public"]["CompositeTypes"]["generation_job_result"];
        SetofOptions: {
          from: "*";
          to: "generation_job_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "create_app_key": {
        Args: {
          "p_account_id": string;
          "p_expires_at"?: string;
          "p_models"?: (string)[];
          "p_monthly_cap"?: number;
          "p_name": string;
          "p_user_id": string;
        };
        Returns: {
          "created_at": string;
          "hint": string;
          "key": string;
          "key_id": string;
        }[];
      };
      "create_team_account": {
        Args: { "p_account_id"?: string; "p_owner_id": string };
        Returns: string;
      };
      "create_upload": {
        Args: {
          "p_account_id": string;
          "p_bytes": number;
          "p_media_type": string;
          "p_member_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["generation_upload"];
        SetofOptions: {
          from: "*";
          to: "generation_upload";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "delete_output": {
        Args: { "p_job_id": string; "p_member_id"?: string };
        Returns: string[];
      };
      "detect_anomalies": {
        Args: { "p_hours"?: number };
        Returns: Database["public"]["CompositeTypes"]["credit_anomaly"][];
        SetofOptions: {
          from: "*";
          to: "credit_anomaly";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "erase_account": { Args: { "p_account_id": string }; Returns: number };
      "erase_job": {
        Args: { "p_job_id": string; "p_member_id"?: string };
        Returns: boolean;
      };
      "evaluate_alerts": { Args: Record<PropertyKey, never>; Returns: number };
      "expire_grants": { Args: { "p_limit"?: number }; Returns: number };
      "fail_generation": {
        Args: { "p_error"?: Json; "p_job_id": string };
        Returns: Database["public"]["CompositeTypes"]["generation_job_result"];
        SetofOptions: {
          from: "*";
          to: "generation_job_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "find_outputs_to_move": {
        Args: Record<PropertyKey, never>;
        Returns: number;
      };
      "find_payment": {
        Args: { "p_id": string; "p_provider": string };
        Returns: string;
      };
      "finish_erasures": { Args: { "p_limit"?: number }; Returns: number };
      "finish_event": {
        Args: {
          "p_endpoint"?: string;
          "p_error"?: string;
          "p_event_id": string;
          "p_is_gone"?: boolean;
          "p_retry_after_seconds"?: number;
        };
        Returns: undefined;
      };
      "finish_output_move": {
        Args: { "p_job_id": string; "p_output": Json };
        Returns: boolean;
      };
      "finish_storage_deletions": {
        Args: { "p_paths": (string)[] };
        Returns: number;
      };
      "follow_subscriptions": { Args: { "p_limit"?: number }; Returns: number };
      "function_calls_due": {
        Args: Record<PropertyKey, never>;
        Returns: string[];
      };
      "get_generation_stats": {
        Args: { "p_hours"?: number };
        Returns: Database["public"]["CompositeTypes"]["generation_stats"];
        SetofOptions: {
          from: "*";
          to: "generation_stats";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "grant_credits": {
        Args: {
          "p_account_id": string;
          "p_amount": number;
          "p_expires_at"?: string;
          "p_external_ref"?: string;
          "p_kind"?: Database["public"]["Enums"]["credit_entry_kind"];
          "p_metadata"?: Json;
          "p_priority"?: number;
          "p_reason"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_grant_result"];
        SetofOptions: {
          from: "*";
          to: "credit_grant_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "grant_due_sign_ups": { Args: { "p_limit"?: number }; Returns: number };
      "has_external_ref": {
        Args: {
          "p_account_id": string;
          "p_external_ref": string;
          "p_kind": string;
        };
        Returns: boolean;
      };
      "import_model_price": {
        Args: {
          "p_costs": Json;
          "p_credits_per_usd": number;
          "p_model": string;
          "p_rates": Json;
          "p_settings"?: Json;
        };
        Returns: string;
      };
      "keep_late_output": {
        Args: { "p_job_id": string; "p_output": Json };
        Returns: boolean;
      };
      "ledger_seq_as_of": {
        Args: { "p_account_id": string; "p_at": string };
        Returns: number;
      };
      "link_payment_customer": {
        Args: {
          "p_account_id": string;
          "p_customer_id": string;
          "p_livemode": boolean;
          "p_provider": string;
        };
        Returns: string;
      };
      "list_app_keys": {
        Args: { "p_account_id": string; "p_user_id": string };
        Returns: {
          "created_at": string;
          "expires_at": string;
          "hint": string;
          "key_id": string;
          "last_used_at": string;
          "member_id": string;
          "models": (string)[];
          "monthly_cap": number;
          "name": string;
          "revoked_at": string;
          "spent": number;
        }[];
      };
      "maintain_request_events": {
        Args: Record<PropertyKey, never>;
        Returns: number;
      };
      "mute_alert_rule": {
        Args: { "p_rule": string; "p_until": string };
        Returns: {
          "description": string;
          "enabled": boolean;
          "minimum": number;
          "muted_until": string | null;
          "name": string;
          "severity": string;
          "threshold": number;
        };
        SetofOptions: {
          from: "*";
          to: "credit_alert_rules";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "note_generation_progress": {
        Args: { "p_job_id": string; "p_usage": Json };
        Returns: boolean;
      };
      "note_payment_event": {
        Args: { "p_cause"?: string; "p_event": Json; "p_outcome": string };
        Returns: undefined;
      };
      "operational_metrics": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "labels": Json;
          "metric": string;
          "value": number;
        }[];
      };
      "operator_abilities": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "action": string;
          "allowed": boolean;
          "least_role": Database["public"]["Enums"]["credit_operator_role"];
          "moves_credits": boolean;
        }[];
      };
      "operator_accounts_page": {
        Args: { "p_after_id"?: string; "p_limit"?: number };
        Returns: {
          "account_id": string;
          "balance": number | null;
          "booked_balance": number;
          "closed_at": string | null;
          "created_at": string;
          "credit_limit": number;
          "debt": number;
          "entries": number;
          "erased_at": string | null;
          "erasure_requested_at": string | null;
          "is_team": boolean;
          "last_entry_at": string | null;
          "open_jobs": number | null;
          "overdraft_used": number;
          "plan": string;
          "spendable": number | null;
          "state": string | null;
          "user_id": string | null;
        }[];
        SetofOptions: {
          from: "*";
          to: "operator_accounts";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "operator_acknowledge_alert": {
        Args: {
          "p_alert_id": string;
          "p_idempotency_key": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_approve": {
        Args: {
          "p_approval_id": string;
          "p_idempotency_key": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_book_payment": {
        Args: {
          "p_idempotency_key": string;
          "p_payment_id": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_cancel_job": {
        Args: {
          "p_idempotency_key": string;
          "p_job_id": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_close_account": {
        Args: {
          "p_account_id": string;
          "p_idempotency_key": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_erase_account": {
        Args: {
          "p_account_id": string;
          "p_idempotency_key": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_fix_discrepancy": {
        Args: {
          "p_class": string;
          "p_idempotency_key": string;
          "p_reason": string;
          "p_subject": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_grant": {
        Args: {
          "p_account_id": string;
          "p_credits": number;
          "p_expires_at": string;
          "p_idempotency_key": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_jobs_page": {
        Args: {
          "p_account_id"?: string;
          "p_before_at"?: string;
          "p_before_id"?: string;
          "p_limit"?: number;
          "p_status"?: string;
        };
        Returns: {
          "account_id": string;
          "actual_cost": number | null;
          "asked_by": string | null;
          "cost": number;
          "created_at": string;
          "deadline_at": string;
          "ended_at": string | null;
          "erased_at": string | null;
          "error_code": string | null;
          "error_message": string | null;
          "job_id": string;
          "late_settled_at": string | null;
          "member_id": string | null;
          "model": string;
          "output_bytes": number | null;
          "output_deleted_at": string | null;
          "outputs": number | null;
          "paid": number | null;
          "price_effective_from": string;
          "provider": string;
          "provider_job_id": string | null;
          "refunded": number;
          "request": Json | null;
          "request_id": string | null;
          "started_at": string | null;
          "status": Database["public"]["Enums"]["generation_job_status"];
          "usage": Json | null;
          "usage_source": string | null;
        }[];
        SetofOptions: {
          from: "*";
          to: "operator_jobs";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "operator_mute_alert": {
        Args: {
          "p_idempotency_key": string;
          "p_reason": string;
          "p_rule": string;
          "p_until": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_payments_page": {
        Args: {
          "p_account_id"?: string;
          "p_before_at"?: string;
          "p_before_key"?: string;
          "p_limit"?: number;
          "p_state"?: string;
        };
        Returns: {
          "account_id": string | null;
          "amount": number;
          "at": string | null;
          "booked_at": string | null;
          "cause": string | null;
          "charge_id": string | null;
          "claimed_account_id": string | null;
          "created_at": string;
          "credits": number;
          "currency": string | null;
          "customer_id": string | null;
          "disputed": number;
          "fee": number | null;
          "grant_id": number | null;
          "intent_id": string | null;
          "invoice_id": string | null;
          "kind": string;
          "livemode": boolean;
          "paid_at": string | null;
          "payment_key": string;
          "period_end": string | null;
          "period_start": string | null;
          "product": string | null;
          "provider": string;
          "quantity": number | null;
          "refunded": number;
          "remedy": string | null;
          "reversed_credits": number;
          "session_id": string | null;
          "state": string;
          "status": string;
          "subscription_id": string | null;
          "tries": number;
          "updated_at": string;
        }[];
        SetofOptions: {
          from: "*";
          to: "operator_payments";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "operator_people": {
        Args: { "p_user_ids": (string)[] };
        Returns: {
          "created_at": string;
          "email": string;
          "last_sign_in_at": string;
          "user_id": string;
        }[];
      };
      "operator_reconcile": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "accounts_broken": number;
          "accounts_checked": number;
          "deep": boolean;
          "discrepancies": number;
          "entries_checked": number;
          "finished_at": string;
          "is_latest": boolean | null;
          "run_id": number;
          "started_at": string;
        }[];
        SetofOptions: {
          from: "*";
          to: "operator_reconciliations";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "operator_refund_job": {
        Args: {
          "p_credits": number;
          "p_idempotency_key": string;
          "p_job_id": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_reject": {
        Args: {
          "p_approval_id": string;
          "p_idempotency_key": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_remove": {
        Args: {
          "p_idempotency_key": string;
          "p_reason": string;
          "p_user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_reopen_account": {
        Args: {
          "p_account_id": string;
          "p_idempotency_key": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_request_trail": {
        Args: { "p_request_id": string };
        Returns: {
          "account_id": string;
          "at": string;
          "credits": number;
          "detail": string;
          "job_id": string;
          "step": string;
        }[];
      };
      "operator_retry_event": {
        Args: {
          "p_event_id": string;
          "p_idempotency_key": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_reverse_grant": {
        Args: {
          "p_account_id": string;
          "p_grant_id": number;
          "p_idempotency_key": string;
          "p_reason": string;
          "p_target": number;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_search": {
        Args: { "p_limit"?: number; "p_text": string };
        Returns: Database["public"]["CompositeTypes"]["operator_find"][];
        SetofOptions: {
          from: "*";
          to: "operator_find";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "operator_set": {
        Args: {
          "p_idempotency_key": string;
          "p_max_per_action": number;
          "p_max_per_day": number;
          "p_reason": string;
          "p_role": string;
          "p_user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_set_overdraft": {
        Args: {
          "p_account_id": string;
          "p_credit_limit": number;
          "p_idempotency_key": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_set_plan": {
        Args: {
          "p_account_id": string;
          "p_idempotency_key": string;
          "p_plan": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "operator_timeline": {
        Args: {
          "p_account_id": string;
          "p_before_at"?: string;
          "p_before_key"?: string;
          "p_limit"?: number;
        };
        Returns:
          Database["public"]["CompositeTypes"]["operator_timeline_row"][];
        SetofOptions: {
          from: "*";
          to: "operator_timeline_row";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "operator_withdraw": {
        Args: {
          "p_account_id": string;
          "p_credits": number;
          "p_idempotency_key": string;
          "p_reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["operator_result"];
        SetofOptions: {
          from: "*";
          to: "operator_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "payment_status": {
        Args: { "p_key": string; "p_user_id": string };
        Returns: Database["public"]["CompositeTypes"]["payment_status_result"];
        SetofOptions: {
          from: "*";
          to: "payment_status_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "person_joins": {
        Args: { "p_amount"?: number; "p_code"?: string; "p_person_id": string };
        Returns: number;
      };
      "person_leaves": { Args: { "p_person_id": string }; Returns: boolean };
      "prepare_checkout": {
        Args: {
          "p_account_id": string;
          "p_livemode": boolean;
          "p_product": string;
          "p_provider": string;
          "p_quantity": number;
          "p_user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["payment_checkout"];
        SetofOptions: {
          from: "*";
          to: "payment_checkout";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "prepare_portal": {
        Args: {
          "p_account_id": string;
          "p_livemode": boolean;
          "p_provider": string;
          "p_user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["payment_checkout"];
        SetofOptions: {
          from: "*";
          to: "payment_checkout";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "preview_payment": {
        Args: { "p_payment": Json };
        Returns: Database["public"]["CompositeTypes"]["payment_result"];
        SetofOptions: {
          from: "*";
          to: "payment_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "preview_subscription": {
        Args: { "p_subscription": Json };
        Returns: Database["public"]["CompositeTypes"]["payment_result"];
        SetofOptions: {
          from: "*";
          to: "payment_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "provider_answered": {
        Args: {
          "p_answer": string;
          "p_error"?: Json;
          "p_job_id": string;
          "p_provider": string;
          "p_provider_job_id": string;
        };
        Returns:
          Database["public"]["CompositeTypes"]["generation_callback_result"];
        SetofOptions: {
          from: "*";
          to: "generation_callback_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "quote_generation": {
        Args: { "p_input": Json; "p_model": string };
        Returns: Database["public"]["CompositeTypes"]["generation_quote"];
        SetofOptions: {
          from: "*";
          to: "generation_quote";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "quote_text": {
        Args: { "p_model": string; "p_request": Json };
        Returns: Database["public"]["CompositeTypes"]["generation_text_quote"];
        SetofOptions: {
          from: "*";
          to: "generation_text_quote";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "receive_callback": {
        Args: {
          "p_error"?: Json;
          "p_job_id": string;
          "p_outcome": string;
          "p_provider": string;
          "p_provider_job_id": string;
        };
        Returns:
          Database["public"]["CompositeTypes"]["generation_callback_result"];
        SetofOptions: {
          from: "*";
          to: "generation_callback_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "reconcile_credit_ledger": {
        Args: { "p_deep"?: boolean };
        Returns: {
          "accounts_broken": number;
          "accounts_checked": number;
          "deep": boolean;
          "discrepancies": number;
          "entries_checked": number;
          "finished_at": string;
          "id": number;
          "started_at": string;
          "unseen_from": number | null;
        };
        SetofOptions: {
          from: "*";
          to: "reconciliation_runs";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "record_anomalies": { Args: Record<PropertyKey, never>; Returns: number };
      "refill_plans": { Args: { "p_limit"?: number }; Returns: number };
      "refund_credits": {
        Args: { "p_amount"?: number; "p_job_id": string; "p_reason"?: string };
        Returns: Database["public"]["CompositeTypes"]["generation_job_result"];
        SetofOptions: {
          from: "*";
          to: "generation_job_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "remove_account_member": {
        Args: { "p_account_id": string; "p_user_id": string };
        Returns: boolean;
      };
      "repair_deployment": {
        Args: Record<PropertyKey, never>;
        Returns: string[];
      };
      "request_function": { Args: { "p_name": string }; Returns: boolean };
      "retry_events": {
        Args: { "p_limit"?: number; "p_since": string };
        Returns: number;
      };
      "retry_payment": {
        Args: { "p_key": string };
        Returns: Database["public"]["CompositeTypes"]["payment_result"];
        SetofOptions: {
          from: "*";
          to: "payment_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "retry_payments": { Args: { "p_limit"?: number }; Returns: number };
      "reverse_grant": {
        Args: {
          "p_account_id": string;
          "p_grant_id": number;
          "p_reason"?: string;
          "p_target"?: number;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_reversal_result"];
        SetofOptions: {
          from: "*";
          to: "credit_reversal_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "revoke_app_key": {
        Args: {
          "p_account_id": string;
          "p_key_id": string;
          "p_user_id": string;
        };
        Returns: boolean;
      };
      "run_task": {
        Args: { "p_name": string };
        Returns: {
          "detail": string | null;
          "done": number | null;
          "finished_at": string;
          "id": number;
          "ok": boolean;
          "started_at": string;
          "task": string;
        };
        SetofOptions: {
          from: "*";
          to: "credit_task_runs";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_account_member": {
        Args: {
          "p_account_id": string;
          "p_monthly_cap"?: number;
          "p_role"?: string;
          "p_user_id": string;
        };
        Returns: {
          "account_id": string;
          "created_at": string;
          "monthly_cap": number | null;
          "role": string;
          "spent": number;
          "spent_month": string;
          "user_id": string;
        };
        SetofOptions: {
          from: "*";
          to: "account_members";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_account_plan": {
        Args: { "p_account_id": string; "p_plan": string };
        Returns: {
          "balance": number;
          "cancels": number;
          "cancels_on": string | null;
          "closed_at": string | null;
          "created_at": string;
          "credit_limit": number;
          "debt": number;
          "debt_seq": number;
          "id": string;
          "is_team": boolean;
          "last_entry_at": string;
          "last_hash": string;
          "last_seq": number;
          "lowered_credit_limit": number | null;
          "overdraft_used": number;
          "plan": string;
          "rate_full_at": string;
          "refill_anchor": string | null;
          "refilled_for": string | null;
          "user_id": string | null;
          "version": number;
        };
        SetofOptions: {
          from: "*";
          to: "credit_accounts";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_model_price": {
        Args: {
          "p_effective_from"?: string;
          "p_model": string;
          "p_rates"?: Json;
          "p_settings"?: Json;
        };
        Returns: string;
      };
      "set_product": {
        Args: {
          "p_effective_from"?: string;
          "p_livemode": boolean;
          "p_product": string;
          "p_provider": string;
          "p_settings"?: Json;
        };
        Returns: string;
      };
      "settle_generation": {
        Args: {
          "p_actual_cost"?: number;
          "p_actual_usage"?: Json;
          "p_job_id": string;
          "p_output": Json;
        };
        Returns: Database["public"]["CompositeTypes"]["generation_job_result"];
        SetofOptions: {
          from: "*";
          to: "generation_job_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "settle_text": {
        Args: {
          "p_job_id": string;
          "p_output"?: Json;
          "p_usage": Json;
          "p_usage_source": string;
        };
        Returns: Database["public"]["CompositeTypes"]["generation_job_result"];
        SetofOptions: {
          from: "*";
          to: "generation_job_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "start_generation": {
        Args: {
          "p_job_id": string;
          "p_provider_job_id"?: string;
          "p_provider_urls"?: Json;
        };
        Returns: Database["public"]["CompositeTypes"]["generation_job_result"];
        SetofOptions: {
          from: "*";
          to: "generation_job_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "sweep_overdue_jobs": { Args: { "p_limit"?: number }; Returns: number };
      "text_terms": {
        Args: {
          "p_account_id": string;
          "p_key_hash": string;
          "p_member_id": string;
          "p_model": string;
        };
        Returns: Database["public"]["CompositeTypes"]["generation_text_terms"];
        SetofOptions: {
          from: "*";
          to: "generation_text_terms";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "transfer_credits": {
        Args: {
          "p_amount": number;
          "p_external_ref": string;
          "p_from_account_id": string;
          "p_reason"?: string;
          "p_to_account_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_transfer_result"];
        SetofOptions: {
          from: "*";
          to: "credit_transfer_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "transfer_credits_batch": {
        Args: { "p_transfers": Json };
        Returns:
          Database["public"]["CompositeTypes"]["credit_transfer_result"][];
        SetofOptions: {
          from: "*";
          to: "credit_transfer_result";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "transfer_finish": {
        Args: {
          "p_from_account_id": string;
          "p_refusal"?: string;
          "p_transfer_id": string;
        };
        Returns: boolean;
      };
      "transfer_receive": {
        Args: {
          "p_external_ref": string;
          "p_from_account_id": string;
          "p_parts": Json;
          "p_reason"?: string;
          "p_to_account_id": string;
          "p_transfer_id": string;
        };
        Returns:
          Database["public"]["CompositeTypes"]["credit_transfer_received"];
        SetofOptions: {
          from: "*";
          to: "credit_transfer_received";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "transfer_send": {
        Args: {
          "p_amount": number;
          "p_external_ref": string;
          "p_from_account_id": string;
          "p_reason"?: string;
          "p_to_account_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_transfer_sent"];
        SetofOptions: {
          from: "*";
          to: "credit_transfer_sent";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "transfer_send_batch": {
        Args: { "p_closed"?: (string)[]; "p_transfers": Json };
        Returns: Database["public"]["CompositeTypes"]["credit_transfer_sent"][];
        SetofOptions: {
          from: "*";
          to: "credit_transfer_sent";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "transfers_in_flight": {
        Args: { "p_limit"?: number };
        Returns: {
          "amount": number;
          "attempts": number;
          "external_ref": string;
          "from_account_id": string;
          "parts": Json;
          "reason": string;
          "sent_at": string;
          "to_account_id": string;
          "transfer_id": string;
        }[];
      };
      "verify_deployment": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "check_name": string;
          "detail": string;
          "ok": boolean;
          "remedy": string;
        }[];
      };
      "verify_ledger": {
        Args: { "p_account_id": string; "p_from_start"?: boolean };
        Returns: Database["public"]["CompositeTypes"]["credit_ledger_result"];
        SetofOptions: {
          from: "*";
          to: "credit_ledger_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "verify_operator_actions": {
        Args: { "p_operator_id": string };
        Returns: Database["public"]["CompositeTypes"]["operator_chain_result"];
        SetofOptions: {
          from: "*";
          to: "operator_chain_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "withdraw_credits": {
        Args: {
          "p_account_id": string;
          "p_amount"?: number;
          "p_external_ref"?: string;
          "p_grant_id"?: number;
          "p_reason"?: string;
        };
        Returns:
          Database["public"]["CompositeTypes"]["credit_withdrawal_result"];
        SetofOptions: {
          from: "*";
          to: "credit_withdrawal_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
    };
    Enums: {
      "credit_entry_kind":
        | "grant"
        | "purchase"
        | "refill"
        | "charge"
        | "release"
        | "refund"
        | "expiry"
        | "adjustment"
        | "transfer"
        | "revocation";
      "credit_operator_role": "viewer" | "support" | "finance" | "admin";
      "generation_job_status":
        | "pending"
        | "running"
        | "succeeded"
        | "failed"
        | "canceled"
        | "expired";
    };
    CompositeTypes: {
      "credit_anomaly": {
        "rule": string | null;
        "account_id": string | null;
        "observed": number | null;
        "threshold": number | null;
        "detail": string | null;
        "since": string | null;
      };
      "credit_archive_result": {
        "accounts": number | null;
        "entries": number | null;
        "finished": boolean | null;
      };
      "credit_charge_result": {
        "status": number | null;
        "code": string | null;
        "message": string | null;
        "account_id": string | null;
        "job_id": string | null;
        "cost": number | null;
        "balance": number | null;
        "required": number | null;
        "retry_after_seconds": number | null;
        "rate_limit": number | null;
        "rate_window_seconds": number | null;
        "rate_remaining": number | null;
        "rate_reset_seconds": number | null;
        "errors": Json | null;
        "job": Json | null;
        "debt": number | null;
      };
      "credit_grant_result": {
        "grant_id": number | null;
        "account_id": string | null;
        "amount": number | null;
        "balance": number | null;
        "replayed": boolean | null;
      };
      "credit_ledger_result": {
        "account_id": string | null;
        "sound": boolean | null;
        "checked": number | null;
        "broken_seq": number | null;
        "problem": string | null;
      };
      "credit_reversal_result": {
        "grant_id": number | null;
        "account_id": string | null;
        "reversed": number | null;
        "taken": number | null;
        "debt": number | null;
        "balance": number | null;
        "replayed": boolean | null;
      };
      "credit_transfer_received": {
        "transfer_id": string | null;
        "to_account_id": string | null;
        "amount": number | null;
        "to_balance": number | null;
        "refusal": string | null;
        "replayed": boolean | null;
      };
      "credit_transfer_result": {
        "from_account_id": string | null;
        "to_account_id": string | null;
        "amount": number | null;
        "from_balance": number | null;
        "to_balance": number | null;
        "replayed": boolean | null;
      };
      "credit_transfer_sent": {
        "transfer_id": string | null;
        "from_account_id": string | null;
        "to_account_id": string | null;
        "amount": number | null;
        "external_ref": string | null;
        "reason": string | null;
        "parts": Json | null;
        "from_balance": number | null;
        "arrived_at": string | null;
        "replayed": boolean | null;
        "to_balance": number | null;
      };
      "credit_withdrawal_result": {
        "account_id": string | null;
        "withdrawn": number | null;
        "balance": number | null;
        "replayed": boolean | null;
      };
      "generation_callback_result": {
        "job_id": string | null;
        "code": string | null;
        "status": Database["public"]["Enums"]["generation_job_status"] | null;
        "input": Json | null;
        "account_id": string | null;
        "max_output_bytes": number | null;
      };
      "generation_job_result": {
        "job_id": string | null;
        "account_id": string | null;
        "code": string | null;
        "status": Database["public"]["Enums"]["generation_job_status"] | null;
        "cost": number | null;
        "refunded": number | null;
        "balance": number | null;
      };
      "generation_output_to_move": {
        "job_id": string | null;
        "account_id": string | null;
        "output": Json | null;
      };
      "generation_provider_ask": {
        "job_id": string | null;
        "account_id": string | null;
        "provider": string | null;
        "provider_job_id": string | null;
        "urls": Json | null;
        "cancel_requested": boolean | null;
        "input": Json | null;
        "max_output_bytes": number | null;
      };
      "generation_quote": {
        "status": number | null;
        "code": string | null;
        "message": string | null;
        "model": string | null;
        "cost": number | null;
        "errors": Json | null;
      };
      "generation_stats": {
        "hours": number | null;
        "total_jobs": number | null;
        "completed_jobs": number | null;
        "failed_jobs": number | null;
        "canceled_jobs": number | null;
        "open_jobs": number | null;
        "success_rate": number | null;
        "p50_seconds": number | null;
        "p95_seconds": number | null;
        "p99_seconds": number | null;
        "credits_charged": number | null;
        "credits_refunded": number | null;
        "denials": number | null;
        "rate_limit_hits": number | null;
        "healthy": boolean | null;
      };
      "generation_text_charge": {
        "status": number | null;
        "code": string | null;
        "message": string | null;
        "account_id": string | null;
        "job_id": string | null;
        "cost": number | null;
        "balance": number | null;
        "required": number | null;
        "debt": number | null;
        "errors": Json | null;
        "retry_after_seconds": number | null;
        "rate_limit": number | null;
        "rate_window_seconds": number | null;
        "rate_remaining": number | null;
        "rate_reset_seconds": number | null;
        "job": Json | null;
        "output_tokens": number | null;
        "affordable_output_tokens": number | null;
      };
      "generation_text_quote": {
        "status": number | null;
        "code": string | null;
        "message": string | null;
        "model": string | null;
        "least": number | null;
        "likely": number | null;
        "most": number | null;
        "output_tokens": number | null;
        "errors": Json | null;
      };
      "generation_text_terms": {
        "status": number | null;
        "code": string | null;
        "message": string | null;
        "account_id": string | null;
        "member_id": string | null;
        "app_key_id": string | null;
        "provider": string | null;
        "provider_model": string | null;
        "timeout_seconds": number | null;
        "max_input_tokens": number | null;
        "max_output_tokens": number | null;
        "default_output_tokens": number | null;
        "image_tokens": number | null;
        "reasons": boolean | null;
        "max_n": number | null;
        "meters": (string)[] | null;
        "store": string | null;
        "charge_interrupted": boolean | null;
      };
      "generation_upload": {
        "status": number | null;
        "code": string | null;
        "message": string | null;
        "path": string | null;
        "expires_at": string | null;
        "errors": Json | null;
      };
      "operator_chain_result": {
        "operator_id": string | null;
        "sound": boolean | null;
        "checked": number | null;
        "broken_seq": number | null;
        "problem": string | null;
      };
      "operator_find": {
        "kind": string | null;
        "id": string | null;
        "account_id": string | null;
        "title": string | null;
        "detail": string | null;
        "at": string | null;
      };
      "operator_result": {
        "code": string | null;
        "operator_id": string | null;
        "action_seq": number | null;
        "approval_id": string | null;
        "replayed": boolean | null;
        "account_id": string | null;
        "balance": number | null;
        "details": Json | null;
      };
      "operator_timeline_row": {
        "at": string | null;
        "key": string | null;
        "kind": string | null;
        "title": string | null;
        "credits": number | null;
        "balance": number | null;
        "job_id": string | null;
        "grant_id": number | null;
        "payment_id": string | null;
        "request_id": string | null;
        "operator_id": string | null;
        "action_seq": number | null;
        "detail": Json | null;
      };
      "payment_checkout": {
        "status": number | null;
        "code": string | null;
        "message": string | null;
        "account_id": string | null;
        "product": string | null;
        "kind": string | null;
        "provider_price_id": string | null;
        "quantity": number | null;
        "credits": number | null;
        "unit_amount": number | null;
        "currency": string | null;
        "customer_id": string | null;
      };
      "payment_result": {
        "outcome": string | null;
        "cause": string | null;
        "payment_key": string | null;
        "status": string | null;
        "account_id": string | null;
        "kind": string | null;
        "grant_id": number | null;
        "credits": number | null;
        "reversed_credits": number | null;
        "balance": number | null;
      };
      "payment_status_result": {
        "status": number | null;
        "code": string | null;
        "message": string | null;
        "payment_key": string | null;
        "account_id": string | null;
        "state": string | null;
        "kind": string | null;
        "product": string | null;
        "credits": number | null;
        "reversed_credits": number | null;
        "balance": number | null;
      };
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema =
  DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof (
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]][
        "Tables"
      ]
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]][
        "Views"
      ]
    )
    : never = never,
> = DefaultSchemaTableNameOrOptions extends
  { schema: keyof DatabaseWithoutInternals } ? (
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]][
      "Tables"
    ]
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]][
      "Views"
    ]
  )[TableName] extends {
    Row: infer R;
  } ? R
  : never
  : DefaultSchemaTableNameOrOptions extends
    keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[
      DefaultSchemaTableNameOrOptions
    ] extends {
      Row: infer R;
    } ? R
    : never
  : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]][
      "Tables"
    ]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends
  { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]][
    "Tables"
  ][TableName] extends {
    Insert: infer I;
  } ? I
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I;
    } ? I
    : never
  : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]][
      "Tables"
    ]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends
  { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]][
    "Tables"
  ][TableName] extends {
    Update: infer U;
  } ? U
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U;
    } ? U
    : never
  : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]][
      "Enums"
    ]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends
  { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][
    EnumName
  ]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[
      PublicCompositeTypeNameOrOptions["schema"]
    ]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends
  { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]][
    "CompositeTypes"
  ][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends
    keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never;

export const Constants = {
  "public": {
    Enums: {
      "credit_entry_kind": [
        "grant",
        "purchase",
        "refill",
        "charge",
        "release",
        "refund",
        "expiry",
        "adjustment",
        "transfer",
        "revocation",
      ],
      "credit_operator_role": ["viewer", "support", "finance", "admin"],
      "generation_job_status": [
        "pending",
        "running",
        "succeeded",
        "failed",
        "canceled",
        "expired",
      ],
    },
  },
} as const;
