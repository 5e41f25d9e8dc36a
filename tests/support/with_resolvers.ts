// Node 20 has none. Deno, where the functions run, has.
Promise.withResolvers ??= <T>() => {
  let [resolve, reject] = [(_: T | PromiseLike<T>) => {}, (_: unknown) => {}];
  const promise = new Promise<T>((...both) => [resolve, reject] = both);
  return { promise, resolve, reject };
};
