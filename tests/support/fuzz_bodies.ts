import fc from "fast-check";
import { type Arsenal, EVENT, type Route } from "./fuzz_shots.ts";
import { moment, mostly, oddText, oddValue } from "./fuzz_values.ts";

/** What the checkouts ask for; the test puts it on sale. */
export const FUZZED_PRODUCT = "fuzzed-pack";

const field = <T>(...good: T[]) => mostly(29, fc.constantFrom(...good));

/** A body as a route is meant to get it, and now and then with a field that it should not be. */
export function goodBody(
  aim: Route,
  arsenal: Pick<Arsenal, "foreignAccount">,
): fc.Arbitrary<string> {
  if (aim === "POST reconcile") {
    return mostly(9, fc.constant({}), fc.record({ deep: oddValue }))
      .map((body) => JSON.stringify(body));
  }
  if (aim.startsWith("POST tasks/")) return fc.constant("{}");
  if (aim === "POST provider-webhook/replicate") return callbackBody;
  if (aim === "POST provider-webhook/fal") return falBody;
  if (aim === "POST uploads") return uploadBody(arsenal);
  if (aim === EVENT) return eventBody;
  if (aim === "POST billing-portal") return fc.constant("{}");
  if (aim === "POST checkout") return checkoutBody;
  if (aim === "POST keys") return keyBody;
  if (aim === "POST openai/v1/chat/completions") return chatBody;
  if (aim === "POST openai/v1/embeddings") return embeddingBody;
  if (aim === "POST openai/v1/images/generations") return pictureBody;
  if (aim === "POST openai/v1/audio/speech") return speechBody;
  const common = {
    account_id: aim === "POST generate"
      ? mostly(
        5,
        fc.constant(undefined),
        mostly(2, fc.constant(arsenal.foreignAccount)),
      )
      : fc.constant(undefined),
    prompt: field("a lighthouse", "a pier", "a dune"),
    response_format: field("url", "base64"),
    surplus: mostly(29, fc.constant(undefined)),
  };
  const picture = fc.record({
    ...common,
    type: field("image"),
    model: field("standard-image"),
    width: field(64),
    height: field(64),
    n: field(1),
    seed: field(7, 8),
  });
  const video = fc.record({
    ...common,
    type: field("video"),
    model: field("standard-video"),
    seconds: field(undefined, 1),
    aspect_ratio: field(undefined, "1:1"),
    image: mostly(9, fc.constant(undefined)),
  });
  const speech = fc.record({
    ...common,
    type: field("speech"),
    model: field("standard-speech"),
    voice: field(undefined, "ash"),
    format: field(undefined, "wav"),
  });
  return fc.oneof(picture, video, speech).map(({ account_id, ...body }) =>
    JSON.stringify({
      ...body,
      account_id: typeof account_id === "function" ? account_id() : account_id,
    })
  );
}

/** Predictions as the provider knows them, and others in the same dress; none that would have us fetch something. */
const callbackBody = fc.record({
  id: mostly(9, fc.constant("prediction")),
  status: mostly(
    9,
    fc.constantFrom("starting", "processing", "failed", "canceled"),
  ),
  output: oddValue,
  error: oddValue,
}).map((body) => JSON.stringify(body));

/** The same in fal's words. */
const falBody = fc.record({
  request_id: mostly(9, fc.constant("prediction")),
  status: mostly(9, fc.constantFrom("OK", "ERROR")),
  payload: oddValue,
  error: oddValue,
}).map((body) => JSON.stringify(body));

function uploadBody(
  { foreignAccount }: Pick<Arsenal, "foreignAccount">,
): fc.Arbitrary<string> {
  return fc.record({
    isForeign: mostly(5, fc.constant(false), fc.constant(true)),
    media_type: field("image/png", "image/jpeg", "image/webp"),
    bytes: field(1, 5_000, 16 * 1024 * 1024),
    surplus: mostly(29, fc.constant(undefined)),
  }).map(({ isForeign, ...body }) =>
    JSON.stringify({
      ...body,
      account_id: isForeign ? foreignAccount() : undefined,
    })
  );
}

/** Events as Stripe sends them, about what it does not have; some of another mode. */
const eventBody = fc.record({
  id: fc.uuid().map((id) => `evt_${id}`),
  type: fc.constantFrom("checkout.session.completed", "charge.refunded", "x.y"),
  created: fc.constantFrom(1_700_000_000, 1_800_000_000),
  livemode: mostly(9, fc.constant(false), fc.boolean()),
  data: mostly(
    9,
    fc.constantFrom(
      { object: { id: "cs_test_none", object: "checkout.session" } },
      { object: { id: "ch_none", object: "charge" } },
    ),
  ),
}).map((body) => JSON.stringify(body));

const checkoutBody = fc.record({
  product: mostly(9, fc.constant(FUZZED_PRODUCT)),
  quantity: mostly(9, fc.constantFrom(1, 2)),
}).map((body) => JSON.stringify(body));

const keyBody = fc.record({
  name: mostly(9, fc.constantFrom("shop", "bot")),
  models: mostly(9, fc.constantFrom(undefined, ["standard-text"])),
  monthly_cap: mostly(9, fc.constantFrom(undefined, 0, 1_000)),
  expires_at: mostly(4, fc.constant(undefined), moment),
  surplus: mostly(29, fc.constant(undefined)),
}).map((body) => JSON.stringify(body));

const message = fc.record({
  role: field("user", "system", "assistant"),
  content: mostly(
    9,
    fc.oneof(
      oddText,
      fc.constant([{ type: "text", text: "a lighthouse" }]),
      fc.constant([{
        type: "image_url",
        image_url: { url: "data:image/png;base64,AAAA" },
      }]),
    ),
  ),
});

/** Short answers: the built-in provider takes its time for each word. */
const chatBody = fc.record({
  model: field("standard-text"),
  messages: mostly(19, fc.array(message, { minLength: 1, maxLength: 3 })),
  max_tokens: field(1, 2, 3),
  stream: field(true, false),
  stream_options: field(undefined, { include_usage: true }),
  n: field(undefined, 1, 2),
  tools: field(undefined, [{ type: "function", function: { name: "f" } }]),
  temperature: field(undefined, 0.5),
  surplus: mostly(29, fc.constant(undefined)),
}).map((body) => JSON.stringify(body));

const embeddingBody = fc.record({
  model: field("standard-text"),
  input: mostly(9, fc.constantFrom("a lighthouse", ["a pier", "a dune"], [7])),
  dimensions: field(undefined, 8),
}).map((body) => JSON.stringify(body));

const pictureBody = fc.record({
  model: field("standard-image"),
  prompt: mostly(19, fc.constantFrom("a lighthouse", "a pier"), oddText),
  n: field(undefined, 1),
  size: field("64x64", "auto"),
  response_format: field(undefined, "b64_json", "url"),
}).map((body) => JSON.stringify(body));

const speechBody = fc.record({
  model: field("standard-speech"),
  input: mostly(19, fc.constantFrom("The lamp is lit.", "aye"), oddText),
  voice: field(undefined, "ash"),
  response_format: field("wav"),
}).map((body) => JSON.stringify(body));
