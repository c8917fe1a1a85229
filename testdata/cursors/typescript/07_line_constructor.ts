export class LruCache<K, V> {
  private entries = new Map<K, V>();

  constructor(private readonly capacity: number) {
    if (capacity <= 0) {
      <|cursor|>
    }
  }

  get(key: K): V | undefined {
    const value = this.entries.get(key);
    if (value !== undefined) {
      this.entries.delete(key);
      this.entries.set(key, value);
    }
    return value;
  }
}
