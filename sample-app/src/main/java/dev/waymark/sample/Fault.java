package dev.waymark.sample;

/**
 * One thing wrong with what a client sent.
 *
 * @param field the field of the body, or the parameter of the URL; empty for the body as a whole
 * @param message what is wrong, for a person to read
 */
record Fault(String field, String message) {}
