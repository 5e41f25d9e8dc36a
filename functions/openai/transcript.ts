type Fields = Record<string, unknown>;

/** A streamed answer put together as one that was not streamed, where answers are kept. */
export class Transcript {
  #frame: Fields = {};
  #choices = new Map<number, { message: Fields; finish_reason: unknown }>();

  /** Takes one chunk. */
  add(chunk: Fields): void {
    const { id, created, model } = chunk;
    this.#frame = { id, created, model, ...this.#frame };
    if (!Array.isArray(chunk.choices)) return;
    for (const choice of chunk.choices as (Fields | null)[]) {
      const index = Number(choice?.index ?? 0);
      const known = this.#choices.get(index) ??
        { message: { role: "assistant", content: null }, finish_reason: null };
      mergeDelta(known.message, fieldsOf(choice?.delta));
      known.finish_reason = choice?.finish_reason ?? known.finish_reason;
      this.#choices.set(index, known);
    }
  }

  /** The whole answer. */
  toCompletion(usage: unknown): Fields {
    const choices = [...this.#choices].sort(([a], [b]) => a - b)
      .map(([index, choice]) => ({ index, ...choice }));
    return { ...this.#frame, object: "chat.completion", choices, usage };
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? value as Fields : {};
}

function mergeDelta(message: Fields, delta: Fields): void {
  for (const [name, value] of Object.entries(delta)) {
    if (name === "tool_calls" && Array.isArray(value)) {
      message.tool_calls = mergeCalls(message.tool_calls, value);
    } else if (name === "role") {
      message.role = value;
    } else if (typeof value === "string") {
      message[name] = `${message[name] ?? ""}${value}`;
    }
  }
}

function mergeCalls(known: unknown, deltas: unknown[]): Fields[] {
  const calls = [known ?? []].flat() as Fields[];
  for (const delta of deltas.map(fieldsOf)) {
    const { index, ...rest } = delta;
    const at = Number(index ?? calls.length);
    const call = calls[at];
    if (!call) {
      calls[at] = rest;
      continue;
    }
    const made = fieldsOf(call.function);
    const more = fieldsOf(rest.function);
    call.function = {
      ...made,
      arguments: `${made.arguments ?? ""}${more.arguments ?? ""}`,
    };
  }
  return calls;
}
