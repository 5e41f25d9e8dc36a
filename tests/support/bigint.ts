/** For a client's `types`: bigint comes as number, where no test counts beyond what that can hold. */
export const BIGINT_AS_NUMBER = {
  bigint: { to: 20, from: [20], serialize: String, parse: Number },
};
