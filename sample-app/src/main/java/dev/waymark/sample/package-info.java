@NullMarked
package dev.waymark.sample;

import org.jspecify.annotations.NullMarked;
