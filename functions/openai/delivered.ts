import { TextCount } from "./token_count.ts";

// Providers leave out or null what they like; only what is text counts.
type Maybe = Record<string, unknown> | null | undefined;

/** Counts the text of an answer, streamed (`delta`) or whole (`message`). */
export class Delivered {
  readonly count = new TextCount();
  finishReason?: string;

  /** Takes one chunk, or the whole answer. */
  add(choices: unknown): void {
    if (!Array.isArray(choices)) return;
    for (const choice of choices as Maybe[]) {
      this.#addMessage((choice?.delta ?? choice?.message) as Maybe);
      const reason = choice?.finish_reason;
      if (typeof reason === "string") this.finishReason = reason.slice(0, 40);
    }
  }

  #addMessage(message: Maybe): void {
    if (!message || typeof message !== "object") return;
    this.#addText(message.content);
    this.#addText(message.reasoning_content ?? message.reasoning);
    this.#addText(message.refusal);
    this.#addCall(message.function_call as Maybe);
    const calls = message.tool_calls;
    if (!Array.isArray(calls)) return;
    for (const call of calls as Maybe[]) {
      this.#addCall((call?.function ?? call?.custom) as Maybe);
    }
  }

  #addCall(call: Maybe): void {
    this.#addText(call?.name);
    this.#addText(call?.arguments ?? call?.input);
  }

  #addText(text: unknown): void {
    if (typeof text === "string" && text !== "") this.count.add(text);
  }
}
