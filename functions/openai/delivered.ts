import { TextCount } from "./token_count.ts";

// Providers leave out or null what they like; only what is text counts.
type Maybe = Record<string, unknown> | null | undefined;

/** Counts the text of an answer, streamed (`delta`) or whole (`message`). */
export class Delivered {
  readonly count = new TextCount();
  finishReason?: string;
  /** Whether thoughts have come: what they have in tokens is known then. */
  hasThoughts = false;
  readonly #open = new Set<unknown>();

  /** Takes one chunk, or the whole answer. */
  add(choices: unknown): void {
    if (!Array.isArray(choices)) return;
    for (const choice of choices as Maybe[]) {
      this.#addMessage((choice?.delta ?? choice?.message) as Maybe);
      const reason = choice?.finish_reason;
      this.#open.add(choice?.index);
      if (typeof reason !== "string") continue;
      this.finishReason = reason.slice(0, 40);
      this.#open.delete(choice?.index);
    }
  }

  /** Whether each choice that began has ended: only the usage is still to come. */
  get isAtEnd(): boolean {
    return this.finishReason !== undefined && this.#open.size === 0;
  }

  #addMessage(message: Maybe): void {
    if (!message || typeof message !== "object") return;
    this.#addText(message.content);
    const thoughts = message.reasoning_content || message.reasoning;
    if (thoughts) this.hasThoughts = true;
    this.#addText(thoughts);
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
    const words = call?.arguments ?? call?.input;
    this.#addText(typeof words === "object" ? JSON.stringify(words) : words);
  }

  /** A text, or its parts: some providers send words and thoughts as a list. */
  #addText(text: unknown): void {
    if (typeof text === "string") return this.count.add(text);
    if (Array.isArray(text)) return text.forEach((part) => this.#addText(part));
    if (text === null || typeof text !== "object") return;
    const part = text as Record<string, unknown>;
    if (part.thinking) this.hasThoughts = true;
    for (const name of ["text", "thinking", "content", "refusal"]) {
      this.#addText(part[name]);
    }
  }
}
