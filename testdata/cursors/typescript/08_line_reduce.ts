export function mean(values: number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  <|cursor|>
}

export function range(values: number[]): number {
  return Math.max(...values) - Math.min(...values);
}
