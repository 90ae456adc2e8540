package dev.waymark.sample;

import java.time.Instant;

/**
 * A user.
 *
 * @param id the sharding key
 */
record User(long id, String name, String email, Instant createdAt) {}
