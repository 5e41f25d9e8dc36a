import { z } from "zod";
import { run, serviceClient } from "./database.ts";

const creditEvent = z.object({
  id: z.guid(),
  type: z.string(),
  payload: z.record(z.string(), z.unknown()),
  created_at: z.string(),
});
/** An event of the outbox, as it is delivered. */
export type CreditEvent = z.infer<typeof creditEvent>;

/** Why an event was not delivered. */
export interface Failure {
  /** Without secrets. */
  error: string;
  /** The receiver wants nothing before. */
  retryAfterSeconds?: number;
  /** The receiver wants nothing any more. */
  isGone?: boolean;
}

/** The outbox; an endpoint is the SHA-256 of an address, in hex. Each throws DatabaseError where the database cannot be reached. */
export interface CreditEvents {
  /** Takes events that are due, alerts or all others, unless the endpoint wants none; each is offered again unless it is finished. */
  claim(
    limit: number,
    kind: "alerts" | "others",
    endpoint: string,
  ): Promise<CreditEvent[]>;
  /** Notes that an event was delivered, or why not. */
  finish(id: string, endpoint: string, failure?: Failure): Promise<void>;
}

/** The outbox of this project's database. */
export const creditEvents: CreditEvents = {
  claim: (limit, kind, endpoint) =>
    run(
      serviceClient().rpc("claim_events", {
        p_limit: limit,
        p_alerts: kind === "alerts",
        p_endpoint: endpoint,
      }),
      z.array(creditEvent),
    ),
  finish: async (id, endpoint, failure) => {
    await run(
      serviceClient().rpc("finish_event", {
        p_event_id: id,
        p_endpoint: endpoint,
        p_error: failure?.error,
        p_retry_after_seconds: failure?.retryAfterSeconds,
        p_is_gone: failure?.isGone,
      }),
      z.unknown(),
    );
  },
};
