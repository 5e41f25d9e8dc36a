/** A number of dollars or credits, exactly: units × 10^-scale. */
export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

const FORM = /^(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i;

/**
 * Reads a number as it stands in JSON or on a command line, such as 2.5e-06.
 * @returns undefined for what is no number of 0 or more
 */
export function decimal(value: unknown): Decimal | undefined {
  const [, whole, fraction = "", exponent = "0"] = FORM.exec(String(value)) ??
    [];
  if (whole === undefined) return undefined;
  const scale = fraction.length - Number(exponent);
  const units = BigInt(whole + fraction);
  return scale >= 0
    ? { units, scale }
    : { units: units * 10n ** BigInt(-scale), scale: 0 };
}

export function multiply(...factors: Decimal[]): Decimal {
  return factors.reduce((product, { units, scale }) => ({
    units: product.units * units,
    scale: product.scale + scale,
  }));
}

/** Rounds up to so many digits after the point: a price is never below what it was computed from. */
export function roundUp({ units, scale }: Decimal, digits: number): Decimal {
  if (scale <= digits) return { units, scale };
  const divisor = 10n ** BigInt(scale - digits);
  return { units: (units + divisor - 1n) / divisor, scale: digits };
}

export function toNumber({ units, scale }: Decimal): number {
  return Number(`${units}e-${scale}`);
}

/** The larger of two. */
export function larger(one: Decimal, other: Decimal): Decimal {
  const at = (number: Decimal, scale: number) =>
    number.units * 10n ** BigInt(scale - number.scale);
  const scale = Math.max(one.scale, other.scale);
  return at(one, scale) >= at(other, scale) ? one : other;
}

export function equals(one: Decimal, other: Decimal): boolean {
  return larger(one, other) === one && larger(other, one) === other;
}
