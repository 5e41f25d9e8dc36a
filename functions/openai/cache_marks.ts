import { z } from "zod";
import { unsupported } from "./fields.ts";

/** The price book knows one price for what is written to a cache: that of the usual five minutes. */
const cacheMark = z.strictObject({
  type: z.literal("ephemeral"),
  ttl: z.literal("5m").optional(),
});

/**
 * Looks for `cache_control`, by which a client has a provider keep a part of its prompt.
 *
 * @returns where the first one stands
 * @throws {Problem} 400 `unsupported_parameter` for a cache that costs something else
 */
export function readCacheMarks(
  messages: readonly unknown[],
  tools: readonly unknown[],
): string | undefined {
  const marks = [...placesOf("messages", messages), ...placesOf("tools", tools)]
    .filter(([, value]) => (value.cache_control ?? null) !== null);
  for (const [path, { cache_control }] of marks) {
    if (!cacheMark.safeParse(cache_control).success) {
      throw unsupported(
        `${path}.cache_control`,
        'must be {"type": "ephemeral"}, with a ttl of 5m at most: a longer one has another price',
      );
    }
  }
  return marks[0] && `${marks[0][0]}.cache_control`;
}

type Place = readonly [path: string, value: Record<string, unknown>];

/** Each message or tool, and the parts of it that may be marked. */
function placesOf(name: string, list: readonly unknown[]): Place[] {
  return list.flatMap((item, at) => {
    const path = `${name}.${at}`;
    const { content, tool_calls, function: made } = fieldsOf(item);
    const parts = (below: string, value: unknown): Place[] =>
      Array.isArray(value)
        ? value.map((part, index) => [
          `${path}.${below}.${index}`,
          fieldsOf(part),
        ])
        : [];
    return [
      [path, fieldsOf(item)] as const,
      ...parts("content", content),
      ...parts("tool_calls", tool_calls),
      [`${path}.function`, fieldsOf(made)] as const,
    ];
  });
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
