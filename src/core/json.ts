/**
 * JSON that keeps every number apart: it has no text for NaN, the infinities and −0, which here are
 * `{ "$number": "NaN" }` and the like.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, entry: unknown) => {
    if (typeof entry !== 'number' || (Number.isFinite(entry) && !Object.is(entry, -0))) return entry;
    return { $number: Object.is(entry, -0) ? '-0' : String(entry) };
  });
}

/** @throws SyntaxError */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (_, entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || !('$number' in entry)) return entry;
    return Number(entry.$number);
  });
}
