/** Items in another order than that of their seq. */

/** @import { Row } from "./row.js" */
/** @typedef {"seq" | "time" | "type" | "run" | "duration" | "sign" | "preview"} Column */
/** @typedef {{ column: Column, descending: boolean }} Order */

/**
 * A sorted copy. What has no value is last in both directions; equal ones stay as they are.
 *
 * @param {Row[]} items
 * @param {(item: Row) => string | number | null} keyOf
 * @param {boolean} descending
 */
export function sorted(items, keyOf, descending) {
  const sign = descending ? -1 : 1;
  const keyed = items.map((item) => ({ item, value: keyOf(item) }));
  keyed.sort(({ value: a }, { value: b }) => {
    if (a === b) return 0;
    if (a === null || b === null) return a === null ? 1 : -1;
    return a < b ? -sign : sign;
  });
  return keyed.map(({ item }) => item);
}

/**
 * The order after one more click on a column's head: ascending, descending, none.
 *
 * @param {Order | null} order
 * @param {Column} column
 * @returns {Order | null} null for ascending by seq
 */
export function nextOrder(order, column) {
  if (order?.column !== column) return { column, descending: column === "seq" };
  return order.descending ? null : { column, descending: true };
}
