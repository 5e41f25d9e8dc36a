import type { Webhook } from "standardwebhooks";
import type { CreditEvent } from "../_shared/credit_events.ts";
import { addressOf, webhooksOf } from "../_shared/settings.ts";

/** What carries one event. */
export interface Message {
  headers: Record<string, string>;
  body: string;
}

/** An address, and how an event is put into a request to it. */
export interface Target {
  url: string;
  message: (event: CreditEvent) => Message;
}

/** Where each kind of event goes; undefined if no address is set for it. */
export interface Targets {
  alerts: Target | undefined;
  others: Target | undefined;
}

/**
 * Reads WEBHOOK_URL and WEBHOOK_SECRET (whsec_…, base64; two while it is rotated), which take every event, and
 * ALERTS_SLACK_URL, which takes alerts in their place. A value that cannot be used is logged, and counts as not set.
 */
export function targetsFromEnvironment(): Targets {
  const webhook = webhookTarget();
  return { alerts: slackTarget() ?? webhook, others: webhook };
}

function webhookTarget(): Targets["others"] {
  const address = Deno.env.get("WEBHOOK_URL");
  const secret = Deno.env.get("WEBHOOK_SECRET");
  if (!address && !secret) return undefined;
  const url = addressOf("WEBHOOK_URL", address ?? "");
  const webhooks = webhooksOf("WEBHOOK_SECRET", secret ?? "");
  return url && webhooks
    ? { url, message: (event) => signed(event, webhooks) }
    : undefined;
}

function slackTarget(): Targets["alerts"] {
  const value = Deno.env.get("ALERTS_SLACK_URL");
  const url = value && addressOf("ALERTS_SLACK_URL", value);
  return url ? { url, message: slackMessage } : undefined;
}

/** As Standard Webhooks has it: webhook-id, webhook-timestamp, webhook-signature, with a signature for each secret. */
function signed(event: CreditEvent, webhooks: Webhook[]): Message {
  const now = new Date();
  const body = JSON.stringify({
    type: event.type,
    timestamp: event.created_at,
    data: event.payload,
  });
  const headers = {
    "webhook-id": event.id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": webhooks
      .map((webhook) => webhook.sign(event.id, now, body)).join(" "),
  };
  return { headers, body };
}

/** An incoming webhook of Slack, Mattermost or Discord's /slack. */
function slackMessage({ type, payload }: CreditEvent): Message {
  const { severity, rule, subject, detail, value, threshold } = payload;
  const name = subject ? `${rule} (${subject})` : rule;
  const text = type === "alert.resolved"
    ? `Resolved: ${name}`
    : `${
      String(severity).toUpperCase()
    }: ${name}: ${detail} (${value}, threshold ${threshold})`;
  return { headers: {}, body: JSON.stringify({ text: plain(text) }) };
}

/** A detail may quote what a stranger chose: without this, `<!channel>` in it would call everybody. */
function plain(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
