/** Groups values by the key that keyOf gives each. */
export function groupBy<T>(values: T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    <|cursor|>
  }
  return groups;
}
