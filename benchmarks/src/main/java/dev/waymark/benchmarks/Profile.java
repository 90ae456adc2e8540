package dev.waymark.benchmarks;

import java.io.Serializable;

/** A row that is cached and changed; serializable, because JetCache's own encoder wants that. */
public record Profile(long id, long version, String name) implements Serializable {}
