package dev.waymark.sample;

import java.math.BigDecimal;
import java.time.Instant;
import java.util.List;

/**
 * An order. It lives on its user's shard.
 *
 * @param id unique on that shard only; together with the user's id it is unique everywhere
 * @param items what was bought, a document of its own: at the price of then, whatever becomes of
 *     the goods
 * @param totalAmount the sum of the items
 * @param revision where in the shard's log this version of the row was written
 */
record Order(
    long id,
    long userId,
    List<Item> items,
    BigDecimal totalAmount,
    Instant createdAt,
    Instant updatedAt,
    String revision) {
  static final int MOST_ITEMS = 50;
  static final int LONGEST_SKU = 64;
  static final int LARGEST_QUANTITY = 1_000;

  Order {
    items = List.copyOf(items);
  }

  /**
   * Some pieces of one thing.
   *
   * @param sku what is bought, by its stock keeping unit
   */
  record Item(String sku, int quantity, BigDecimal unitPrice) {}

  static BigDecimal totalOf(List<Item> items) {
    return items.stream()
        .map(item -> item.unitPrice().multiply(BigDecimal.valueOf(item.quantity())))
        .reduce(BigDecimal.ZERO.setScale(2), BigDecimal::add);
  }
}
