import { problemOf } from "../_shared/problem.ts";
import { json } from "../_shared/route.ts";
import type { UserRows } from "../_shared/user_rows.ts";
import type { TextQuote } from "./contract.ts";
import { chatBounds, readChatRequest } from "../openai/chat_request.ts";

/** Whether a quote is asked for a conversation. */
export function isConversation(value: unknown): boolean {
  return typeof value === "object" && value !== null && "messages" in value;
}

/** What a chat request with this body would cost: at least, likely, at most. */
export async function quoteText(
  value: unknown,
  rows: Pick<UserRows, "pictureTokens" | "quoteText">,
): Promise<Response> {
  const chat = readChatRequest(value);
  const pictureTokens = chat.pictures > 0
    ? await rows.pictureTokens(chat.model)
    : null;
  const quote = await rows.quoteText(
    chat.model,
    chatBounds(chat, pictureTokens),
  );
  if (quote.status !== 200) throw problemOf(quote);
  return json<TextQuote>({
    model: quote.model!,
    least: quote.least!,
    likely: quote.likely!,
    most: quote.most!,
    output_tokens: quote.output_tokens,
  });
}
