import { expect } from "vitest";
import type { Answer } from "./http.ts";

/** The pictures of an answer, in base64, as they are read at their URLs. */
export async function readPictures(
  { text, body }: Pick<Answer, "text" | "body">,
): Promise<string[]> {
  expect(body?.outputs, text).toBeInstanceOf(Array);
  return await Promise.all(body.outputs.map(readPicture));
}

async function readPicture(output: {
  url: string;
  media_type: string;
  bytes: number;
}): Promise<string> {
  const response = await fetch(output.url);
  const picture = Buffer.from(await response.arrayBuffer());
  expect(response.status, picture.toString()).toBe(200);
  expect(response.headers.get("content-type")).toBe(output.media_type);
  expect(picture).toHaveLength(output.bytes);
  return picture.toString("base64");
}
