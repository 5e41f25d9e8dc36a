import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ClientStream } from "../../functions/openai/client_stream.ts";
import { EventBlocks } from "../../functions/openai/event_blocks.ts";
import { readChunks } from "../../functions/openai/read_chunks.ts";
import { StreamReader } from "../../functions/openai/stream_reader.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

afterEach(() => {
  vi.useRealTimers();
});

describe("the client's stream", () => {
  test("has a comment after 15 seconds without a byte", async () => {
    vi.useFakeTimers();
    const client = new ClientStream(() => {});
    const reader = client.readable.getReader();
    const first = reader.read();
    await vi.advanceTimersByTimeAsync(14_900);
    void client.write(encode("data: a\n\n"));
    expect(decode((await first).value!)).toBe("data: a\n\n");
    const next = reader.read();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(decode((await next).value!)).toMatch(/^: .*\n\n$/);
    client.close();
    expect((await reader.read()).done).toBe(true);
  });

  test("takes no more than the client reads", async () => {
    const client = new ClientStream(() => {});
    let isTaken = false;
    const written = client.write(new Uint8Array(300_000))
      .then(() => isTaken = true);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isTaken).toBe(false);
    await client.readable.getReader().read();
    await written;
    client.close();
  });

  test("tells that the client is gone, once, and not after its end", async () => {
    const onGone = vi.fn();
    const gone = new ClientStream(onGone);
    await gone.readable.cancel();
    gone.hangUp();
    expect(onGone).toHaveBeenCalledOnce();
    const ended = new ClientStream(onGone);
    ended.close();
    ended.hangUp();
    expect(onGone).toHaveBeenCalledOnce();
    await gone.write(encode("late"));
  });

  test("holds up no write that finds the client gone", async () => {
    const onGone = vi.fn();
    const client = new ClientStream(onGone);
    // As Deno does it: the bytes find no connection, and the stream is canceled within enqueue.
    const { prototype } = ReadableStreamDefaultController;
    const enqueue = vi.spyOn(prototype, "enqueue").mockImplementation(() => {
      void client.readable.cancel();
    });
    const written = client.write(encode("data: a\n\n")).then(() => "written");
    enqueue.mockRestore();
    const later = new Promise((resolve) => setTimeout(resolve, 50, "held up"));
    expect(await Promise.race([written, later])).toBe("written");
    expect(onGone).toHaveBeenCalledOnce();
    expect(client.isGone).toBe(true);
  });
});

describe("a provider's bytes", () => {
  type Bytes = Uint8Array<ArrayBuffer>;
  const parts = ["The lamp ", "is ", "lit."];
  const onCancel = vi.fn();
  beforeEach(() => {
    onCancel.mockClear();
  });

  const streams = {
    "from the network": () => {
      const rest = parts.map(encode);
      return new ReadableStream<Bytes>({
        type: "bytes",
        pull: (controller) => {
          const part = rest.shift();
          if (part) return controller.enqueue(part as Bytes);
          controller.close();
          (controller as ReadableByteStreamController).byobRequest?.respond(0);
        },
        cancel: onCancel,
      });
    },
    "of our own": () => {
      const rest = parts.map(encode);
      return new ReadableStream<Bytes>({
        pull: (controller) => {
          const part = rest.shift();
          if (part) return controller.enqueue(part as Bytes);
          controller.close();
        },
        cancel: onCancel,
      });
    },
  };

  async function collect(stream: ReadableStream<Bytes>): Promise<Bytes[]> {
    const chunks = [];
    for await (const chunk of readChunks(stream)) chunks.push(chunk);
    return chunks;
  }

  test.each(Object.entries(streams))(
    "%s stay as they came",
    async (_, open) => {
      expect((await collect(open())).map(decode)).toEqual(parts);
      expect(onCancel).not.toHaveBeenCalled();
    },
  );

  test.each(Object.entries(streams))(
    "%s are not asked for once nobody wants them",
    async (_, open) => {
      for await (const chunk of readChunks(open())) {
        expect(decode(chunk)).toBe(parts[0]);
        break;
      }
      expect(onCancel).toHaveBeenCalledOnce();
    },
  );

  test("that break off say so", async () => {
    const broken = new ReadableStream<Bytes>({
      type: "bytes",
      pull: (controller) => controller.error(new Error("cut")),
    });
    await expect(collect(broken)).rejects.toThrow("cut");
  });
});

/** The events of a usual answer, with each of the line ends that there are. */
const STREAM = [
  'data: {"choices":[{"delta":{"content":"Zoë "}}]}\n\n',
  ": a comment\n\n",
  'event: message\ndata: {"choices":[{"delta":{"content":"🌊"}}]}\r\n\r\n',
  'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
  'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n',
  "data: [DONE]\n\n",
];

/** A stream's bytes, cut anywhere. */
const cuts = fc.array(
  fc.integer({ min: 0, max: encode(STREAM.join("")).length }),
  {
    maxLength: 30,
  },
);

function pieces(bytes: Uint8Array, at: number[]): Uint8Array[] {
  const sorted = [0, ...at.sort((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((end, index) =>
    bytes.subarray(sorted[index], end)
  );
}

test("however a stream is cut, its bytes pass and its usage is read", () => {
  const expected = STREAM.slice(0, 4).join("");
  fc.assert(fc.property(cuts, (at) => {
    const reader = new StreamReader();
    const passed = pieces(encode(STREAM.join("")), at)
      .map((piece) => decode(reader.take(piece))).join("");
    expect(reader.isDone).toBe(true);
    expect(reader.usage).toMatchObject({ input_tokens: 3, output_tokens: 2 });
    expect(reader.delivered.finishReason).toBe("stop");
    // Comments and the events' own form may go where a kept-back event came with them.
    const texts = (text: string) => text.match(/^data: .*$/gm);
    expect(texts(passed)).toEqual(texts(expected.replaceAll("\r", "")));
  }));
});

test("an event without an end is not kept without a bound", () => {
  const blocks = new EventBlocks();
  const mebibyte = new Uint8Array(1024 * 1024).fill(97);
  for (let i = 0; i < 8; i++) expect(blocks.push(mebibyte).length).toBe(0);
  expect(() => blocks.push(mebibyte)).toThrow(RangeError);
});
