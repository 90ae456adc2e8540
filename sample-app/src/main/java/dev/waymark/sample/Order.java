package dev.waymark.sample;

import java.math.BigDecimal;
import java.time.Instant;

/**
 * An order. It lives on its user's shard.
 *
 * @param id unique on that shard only; together with the user's id it is unique everywhere
 */
record Order(long id, long userId, BigDecimal totalAmount, Instant createdAt) {}
