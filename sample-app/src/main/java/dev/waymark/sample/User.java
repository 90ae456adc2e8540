package dev.waymark.sample;

import java.time.Instant;

/**
 * A user.
 *
 * @param id the sharding key
 * @param email in lower case; no other user has it
 * @param revision where in the shard's log this version of the row was written
 */
record User(
    long id, String name, String email, Instant createdAt, Instant updatedAt, String revision) {}
