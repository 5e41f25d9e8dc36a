import { openPayments } from "./payments/access.ts";
import { reconcile } from "./payments/reconcile.ts";
import { setUp } from "./payments/set_up.ts";
import { verify } from "./payments/verify.ts";
import { parseFlags, type Terminal } from "./terminal.ts";

const HELP = `npm run payments -- setup
npm run payments -- verify
npm run payments -- reconcile [--days 3] [--apply] [--json]

setup      makes Stripe's webhook endpoint of this project, with the right events and API version,
           or puts the one that is there right; prints the secret that the functions need
verify     compares the endpoint and the prices with what is needed, and sends the function one
           event that is signed and one that is not; the exit code is 1 where something is wrong
reconcile  reads the events that nobody took and the payments of the last days at Stripe, and shows
           what would be booked; --apply books it. The exit code is 1 where something is left to do

It asks the project at SUPABASE_URL with SUPABASE_SECRET_KEY, and Stripe with PAYMENTS_STRIPE_KEY,
out of the environment or, where that names no other project, .env.local.

  --days   how far back to look, 1 to 30
  --apply  book it
  --json   what was found as JSON`;

function readDays(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= 30) return days;
  throw new Error(
    `--days ${text} cannot be looked back: pass a whole number from 1 to 30.`,
  );
}

/** Sets payments up, checks them, or reconciles them with the provider. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const { values, positionals: [name = ""] } = parseFlags(HELP, terminal, {
    allowPositionals: true,
    options: {
      days: { type: "string", default: "3" },
      apply: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const days = readDays(values.days);
  const { apply, json } = values;
  switch (values.help ? "" : name) {
    case "setup":
      return await setUp(openPayments(terminal), console);
    case "verify":
      return await verify(openPayments(terminal), console);
    case "reconcile":
      return await reconcile(openPayments(terminal), console, {
        days,
        apply,
        json,
      });
    default:
      console.log(HELP);
      return values.help ? 0 : 2;
  }
}
