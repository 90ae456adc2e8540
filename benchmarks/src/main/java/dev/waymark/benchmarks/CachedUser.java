package dev.waymark.benchmarks;

import java.io.Serializable;

/**
 * A small row as applications cache it; serializable, because JetCache's own encoder wants that.
 */
public record CachedUser(long id, String name, String email) implements Serializable {}
