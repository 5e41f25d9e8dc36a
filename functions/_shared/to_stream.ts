/**
 * Streams what a generator yields, as far as it is read.
 *
 * @param cancel ends what the generator waits for, where nobody reads on
 */
export function toStream(
  chunks: AsyncGenerator<Uint8Array>,
  cancel: () => Promise<void>,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel,
  }, { highWaterMark: 0 });
}
