/**
 * A REST service over users and orders that shows the library in use. {@link
 * dev.waymark.sample.Main} wires it; {@code docs/sample.md} describes it.
 */
@NullMarked
package dev.waymark.sample;

import org.jspecify.annotations.NullMarked;
