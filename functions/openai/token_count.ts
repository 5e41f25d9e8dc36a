import { estimateTokenCount } from "tokenx";

const encoder = new TextEncoder();

/** Bytes of a text in UTF-8: the upper bound of its tokens. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

/** No text of some length has fewer tokens than one for so many bytes; the estimate counts spaces and some scripts for little. */
const MOST_BYTES_PER_TOKEN = 6;

/** How many tokens a text likely has; at least one. */
export function likelyTokens(text: string): number {
  const least = Math.ceil(byteLength(text) / MOST_BYTES_PER_TOKEN);
  return Math.max(1, least, estimateTokenCount(text));
}

/** From here on what has come is counted and let go, so that memory stays flat. */
const COUNTED_CHARACTERS = 4_000;

/** Counts delivered text as it comes. */
export class TextCount {
  #counted = 0;
  #text = "";

  add(text: string): void {
    this.#text += text;
    if (this.#text.length < COUNTED_CHARACTERS) return;
    this.#counted += likelyTokens(this.#text);
    this.#text = "";
  }

  /** Whether anything has come. */
  get isEmpty(): boolean {
    return this.#counted === 0 && this.#text === "";
  }

  /** How many tokens have likely come: 0 only where nothing has. */
  get tokens(): number {
    return this.#counted + (this.#text === "" ? 0 : likelyTokens(this.#text));
  }
}
