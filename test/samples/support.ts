/** A stream of these, one after the other. */
export async function* slowly<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await undefined;
    yield item;
  }
}
