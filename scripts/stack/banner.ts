import type { DemoUser } from "./demo.ts";
import type { Stack } from "./index.ts";

/** The lines of `.env.local`. */
export function environmentFile(stack: Stack): string {
  return [
    `SUPABASE_URL=${stack.url}`,
    `SUPABASE_PUBLISHABLE_KEY=${stack.keys.publishable}`,
    `SUPABASE_SECRET_KEY=${stack.keys.secret}`,
    `SUPABASE_DB_URL=${stack.database.url()}`,
    "",
  ].join("\n");
}

/** Prints an answer, and the address of its picture on a line of its own. */
const PRINT_PICTURE =
  `const{outputs:[o]=[],...a}=JSON.parse(require("fs").readFileSync(0));console.log(a);` +
  `o&&console.log("\\n  "+o.url)`;

/** Prints the words of a stream as they come, and its cost. */
const PRINT_STREAM =
  `require("readline").createInterface({input:process.stdin}).on("line",l=>{if(!l.includes("{"))return;` +
  `const c=JSON.parse(l.replace("data: ",""));process.stdout.write(c.error?c.error.message+"\\n":` +
  `c.usage?"\\ncost: "+c.usage.cost+"\\n":c.choices[0].delta.content??"")})`;

/** Pages that a person can open. */
export interface Pages {
  /** On which the demo user can buy in the sandbox. */
  readonly sale?: string;
  /** Signs the demo operator in to the console. */
  readonly operator: string;
}

/** What a person sees once everything runs; each command works when pasted as it is. */
export function banner(
  stack: Stack,
  user: DemoUser,
  { sale, operator }: Pages,
): string {
  const asUser = `-H 'apikey: ${stack.keys.publishable}' \\
  -H 'authorization: Bearer ${user.token}'`;
  return `
Atomic Credits is running. Open its page, and enter as the demo user:

  ${stack.url}

  API       ${stack.url}
  Functions ${stack.url}/functions/v1
  Database  ${stack.database.url()}
  Keys      ${stack.keys.publishable} (publishable)
            ${stack.keys.secret} (secret)
  Demo user ${user.email}, balance ${user.balance} credits
  Token     ${user.token}

${buying(sale)}Generate an image (500 credits) and open the link it prints:

curl -s ${stack.url}/functions/v1/generate \\
  ${asUser} \\
  -H 'content-type: application/json' \\
  -d '{"prompt":"a lighthouse at dusk","width":512,"height":512}' \\
| node -e '${PRINT_PICTURE}'

A video (100 credits) or speech (1 credit) is the same request with another body:

  {"type":"video","prompt":"a lighthouse at dusk"}
  {"type":"speech","prompt":"The lamp is lit."}

Stream a text (charged to the token; the cost comes last):

curl -sN ${stack.url}/functions/v1/openai/v1/chat/completions \\
  -H 'authorization: Bearer ${user.token}' \\
  -H 'content-type: application/json' \\
  -d '{"model":"standard-text","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"What does the lighthouse say?"}]}' \\
| node -e '${PRINT_STREAM}'

Read the balance:

curl -s ${stack.url}/functions/v1/credits \\
  ${asUser}

${givingBack(sale)}See that every credit is accounted for:

curl -s ${stack.url}/rest/v1/reconciliation_summary \\
  -H 'apikey: ${stack.keys.secret}'

Help a customer: the operators' console (ready a minute after the first start; the link signs you in)

  ${operator}

Ctrl-C stops it. The data stays; npm start -- --reset begins anew.
`;
}

function buying(sale: string | undefined): string {
  if (!sale) {
    return "Stripe sells, by PAYMENTS_STRIPE_KEY: docs/payments.md.\n\n";
  }
  return `Buy 1,000 credits: open this page and press Pay (no money moves),

  ${sale}

or do the same from here:

curl -s -X POST ${sale}/pay

`;
}

function givingBack(sale: string | undefined): string {
  return sale === undefined
    ? ""
    : `Give 2.50 of the 10.00 back, or let the buyer's bank dispute the rest, and win (or lose):

curl -s ${sale}/refund -d amount=250
curl -s -X POST ${sale}/dispute
curl -s -X POST ${sale}/win

`;
}
