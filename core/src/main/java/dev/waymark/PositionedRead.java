package dev.waymark;

import org.jspecify.annotations.Nullable;

/**
 * The result of a read, with where it came from and how new it is known to be.
 *
 * @param value what the read returned; may be null
 * @param route which node answered and why
 * @param position a log position that the answer is known to be at least as new as; null if none is
 *     known
 */
public record PositionedRead<T extends @Nullable Object>(
    T value, Route route, @Nullable LogPosition position) {}
