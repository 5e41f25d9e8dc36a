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

/** The outbox. Each throws DatabaseError where the database cannot be reached. */
export interface CreditEvents {
  /** Takes events that are due, alerts or all others; each is offered again unless it is finished. */
  claim(limit: number, kind: "alerts" | "others"): Promise<CreditEvent[]>;
  /** Notes that an event was delivered, or why not. */
  finish(id: string, error?: string): Promise<void>;
}

/** The outbox of this project's database. */
export const creditEvents: CreditEvents = {
  claim: (limit, kind) =>
    run(
      serviceClient().rpc("claim_events", {
        p_limit: limit,
        p_alerts: kind === "alerts",
      }),
      z.array(creditEvent),
    ),
  finish: async (id, error) => {
    await run(
      serviceClient().rpc("finish_event", { p_event_id: id, p_error: error }),
      z.unknown(),
    );
  },
};
