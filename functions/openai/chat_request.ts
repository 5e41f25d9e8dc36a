import { parseFields } from "../_shared/body.ts";
import type { TextBounds } from "../_shared/text_database.ts";
import { readCacheMarks } from "./cache_marks.ts";
import { chatRequest } from "./contract.ts";
import { CHAT_FIELDS, passedFields, unsupported } from "./fields.ts";
import { byteLength, likelyTokens } from "./token_count.ts";

/** A chat request: what goes on, and what it may use. */
export interface ChatRequest {
  model: string;
  isStream: boolean;
  /** Whether the client asks for the usage at the end of its stream. */
  wantsUsage: boolean;
  n: number;
  /** Goes on to the provider as it is. */
  passed: Record<string, unknown>;
  /** Text of the prompt, for the bounds. */
  prompt: string;
  /** Pictures in it, whose bytes are in the request. */
  pictures: number;
  maximum?: number;
  /** Where it has a part of the prompt written to the provider's cache. */
  cacheMark?: string;
}

/** Tools that the client runs itself. */
const CLIENT_TOOLS = ["function", "custom"];

/**
 * Reads a chat request.
 *
 * @throws {Problem} 400 `invalid_request` or `unsupported_parameter`
 */
export function readChatRequest(body: unknown): ChatRequest {
  const request = parseFields(chatRequest, body);
  const passed = passedFields(request, CHAT_FIELDS);
  for (const [at, { type }] of (request.tools ?? []).entries()) {
    if (!CLIENT_TOOLS.includes(type)) {
      throw unsupported(
        `tools.${at}.type`,
        "must be function or custom: tools that the provider runs do not pass",
      );
    }
  }
  const { text, pictures } = readMessages(request.messages);
  const { tools, functions, response_format } = passed;
  const rest = { tools, functions, response_format };
  return {
    model: request.model,
    isStream: request.stream === true,
    wantsUsage: request.stream_options?.include_usage === true,
    n: request.n ?? 1,
    passed,
    prompt: `${text}${JSON.stringify(rest)}`,
    pictures,
    maximum: request.max_completion_tokens ?? request.max_tokens ?? undefined,
    cacheMark: readCacheMarks(request.messages, request.tools ?? []),
  };
}

/** What a chat request may use; a picture counts as so many tokens. */
export function chatBounds(
  { prompt, pictures, maximum, n }: ChatRequest,
  pictureTokens: number | null,
): TextBounds {
  if (pictures > 0 && pictureTokens === null) {
    throw unsupported("messages", "has a picture, and this model takes none");
  }
  const media = pictures * (pictureTokens ?? 0);
  const input_tokens = byteLength(prompt) + media;
  return {
    input_tokens,
    input_estimate: Math.min(likelyTokens(prompt) + media, input_tokens),
    ...(maximum !== undefined && { output_tokens: maximum }),
    n,
  };
}

/** Fields of a message by which some providers take media, beside its content: what they fetch has no bound. */
const MEDIA_FIELDS = [
  "audio",
  "image",
  "images",
  "image_url",
  "video",
  "videos",
  "file",
  "files",
  "file_ids",
  "documents",
  "attachments",
];

function readMessages(
  messages: { role: string; [more: string]: unknown }[],
): { text: string; pictures: number } {
  let pictures = 0;
  const plain = messages.map((message, at) => {
    const { content } = message;
    const media = MEDIA_FIELDS.find((name) => message[name]);
    if (media) throw unsupported(`messages.${at}.${media}`);
    if (content && typeof content === "object" && !Array.isArray(content)) {
      throw unsupported(
        `messages.${at}.content`,
        "must be text or a list of parts",
      );
    }
    if (!Array.isArray(content)) return message;
    const parts = content.map((part, index) => {
      const path = `messages.${at}.content.${index}`;
      if (!isPicture(part, path)) return part;
      pictures++;
      return { type: "image_url" };
    });
    return { ...message, content: parts };
  });
  return { text: JSON.stringify(plain), pictures };
}

const TEXT_PARTS = ["text", "refusal"];

/** Whether a part of a message is a picture that came with it. What the provider would fetch has no bound, so it does not pass. */
function isPicture(part: unknown, path: string): boolean {
  const { type, image_url } = (part ?? {}) as {
    type?: unknown;
    image_url?: { url?: unknown };
  };
  if (TEXT_PARTS.some((name) => name === type)) return false;
  if (type !== "image_url") {
    throw unsupported(`${path}.type`, "must be text or image_url");
  }
  const url = image_url?.url;
  if (typeof url !== "string" || !/^data:image\//i.test(url)) {
    throw unsupported(
      `${path}.image_url`,
      "must be a data URL: the picture itself, not its address",
    );
  }
  return true;
}
