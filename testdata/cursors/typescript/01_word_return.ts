export interface Item {
  name: string;
  price: number;
  quantity: number;
}

/** Total price of all items. */
export function total(items: Item[]): number {
  let sum = 0;
  for (const item of items) {
    sum += item.price * item.quantity;
  }
  retu<|cursor|>
}

/** The most expensive item, if there is any. */
export function dearest(items: Item[]): Item | undefined {
  return [...items].sort((a, b) => b.price - a.price)[0];
}
