package dev.waymark.sample;

import java.math.BigDecimal;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * An order. It lives on its user's shard.
 *
 * @param id unique on that shard only; together with the user's id it is unique everywhere
 * @param items what was bought, a document of its own: at the price of then, whatever becomes of
 *     the goods
 * @param totalAmount the sum of the items
 * @param cancelReason why it was cancelled; null unless it was
 * @param revision where in the shard's log this version of the row was written
 */
record Order(
    long id,
    long userId,
    List<Item> items,
    BigDecimal totalAmount,
    Status status,
    @Nullable String cancelReason,
    Instant createdAt,
    Instant updatedAt,
    String revision) {
  static final int MOST_ITEMS = 50;
  static final int LONGEST_SKU = 64;
  static final int LARGEST_QUANTITY = 1_000;

  Order {
    items = List.copyOf(items);
    // An answer that was kept for a repeated request before there were checkouts.
    status = status == null ? Status.PLACED : status;
  }

  /** How far it is. */
  enum Status {
    /** Ordered, and that is all: no checkout is about it. */
    PLACED,
    /** Its checkout is under way. */
    PENDING,
    /** Paid. */
    CONFIRMED,
    /** Not paid, or paid back. */
    CANCELLED;

    /** As clients and the database have it. */
    String word() {
      return name().toLowerCase(Locale.ROOT);
    }

    static Status of(String word) {
      return valueOf(word.toUpperCase(Locale.ROOT));
    }
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
