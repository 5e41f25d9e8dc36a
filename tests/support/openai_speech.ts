import type { ServerResponse } from "node:http";
import { encodeWav } from "../../functions/_shared/providers/wav.ts";

/** What the loopback server speaks: a second of silence. */
export const SPOKEN_WAV = encodeWav(new Int16Array(24_000), 24_000);
/** The same as MP3: 42 silent frames, at the lowest bit rate. */
export const SPOKEN_MP3 = new Uint8Array(
  Array(42).fill([0xff, 0xf3, 0x14, 0xc4, ...Array(44).fill(0)]).flat(),
);

const FILES: Record<string, { type: string; file: Uint8Array }> = {
  wav: { type: "audio/wav", file: SPOKEN_WAV },
  mp3: { type: "audio/mpeg", file: SPOKEN_MP3 },
};

/** What the server was asked to speak, the last one at the end. */
export const spoken: Record<string, unknown>[] = [];

/** Answers as OpenAI's Speech API does: with the file itself. */
export function speak(
  asked: Record<string, unknown>,
  response: ServerResponse,
): void {
  spoken.push(asked);
  const { type, file } = FILES[String(asked.response_format ?? "mp3")]!;
  response.writeHead(200, { "content-type": type });
  response.end(file);
}
