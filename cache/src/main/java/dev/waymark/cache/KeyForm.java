package dev.waymark.cache;

import dev.waymark.KeyRendering;
import java.util.Locale;
import java.util.UUID;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * How keys of one cache are written in Redis and hashed: the same in every process and every run,
 * which {@link Object#hashCode} does not promise.
 */
sealed interface KeyForm<K> {
  /** The key as text; different for different keys. */
  String text(K key);

  /** 32 well-spread bits of the key. */
  int hash(K key);

  /** The key for an error or a log line. */
  String render(K key, KeyRendering rendering);

  /** The text of the tag that the key carries; null if it has none. */
  default @Nullable String tag(K key) {
    return null;
  }

  /** Where the key stands in Redis. */
  default CacheKey address(String cache, K key) {
    return new CacheKey(cache, text(key), hash(key), tag(key));
  }

  /** For the types whose text and hash are fixed by their documentation. */
  record Known<K>() implements KeyForm<K> {
    @Override
    public String text(K key) {
      if (key instanceof Enum<?> constant) {
        return constant.name();
      }
      if (key instanceof String
          || key instanceof Long
          || key instanceof Integer
          || key instanceof Short
          || key instanceof UUID) {
        return wellFormed(key.toString());
      }
      throw unknown(key);
    }

    // Allocates nothing: it stands on the way of every hit.
    @Override
    public int hash(K key) {
      if (key instanceof Long number) {
        return spread(Long.hashCode(number));
      }
      if (key instanceof String text) {
        return spread(text.hashCode());
      }
      if (key instanceof Integer || key instanceof Short) {
        return spread(Long.hashCode(((Number) key).longValue()));
      }
      if (key instanceof UUID uuid) {
        return spread(uuid.hashCode());
      }
      if (key instanceof Enum<?> constant) {
        return spread(constant.name().hashCode());
      }
      throw unknown(key);
    }

    @Override
    public String render(K key, KeyRendering rendering) {
      return KeyForm.render(key, text(key), rendering);
    }

    private static IllegalArgumentException unknown(Object key) {
      return new IllegalArgumentException(
          "Keys of "
              + key.getClass()
              + " have no text that is known to be the same in every process; give the cache one"
              + " with keyText(...)");
    }
  }

  /** For all other types: the application says how a key is written. */
  record Written<K>(Function<K, String> writer) implements KeyForm<K> {
    @Override
    public String text(K key) {
      return wellFormed(writer.apply(key));
    }

    @Override
    public int hash(K key) {
      return spread(text(key).hashCode());
    }

    @Override
    public String render(K key, KeyRendering rendering) {
      return KeyForm.render(key, text(key), rendering);
    }
  }

  /**
   * Keys that carry a tag, and share its hash: so a tag's keys are in one place, in Redis and in
   * L1. Keys and tags are told apart by their first letter.
   */
  record Tagged<K>(KeyForm<K> form, Function<? super K, String> tagOf) implements KeyForm<K> {
    @Override
    public String text(K key) {
      return "k" + form.text(key);
    }

    @Override
    public int hash(K key) {
      return hashOfTag(tagOf.apply(key));
    }

    @Override
    public String render(K key, KeyRendering rendering) {
      return form.render(key, rendering);
    }

    @Override
    public String tag(K key) {
      return textOfTag(tagOf.apply(key));
    }

    /** The tag as a key of its own: to announce it drops all that carry it. */
    static CacheKey address(String cache, String tag) {
      return new CacheKey(cache, textOfTag(tag), hashOfTag(tag));
    }

    private static String textOfTag(String tag) {
      return "t" + wellFormed(tag);
    }

    private static int hashOfTag(String tag) {
      return spread(tag.hashCode());
    }
  }

  /**
   * On the way to Redis half a surrogate pair becomes a question mark: two keys would share one
   * value there, and not the place where their writers are announced.
   */
  private static String wellFormed(String text) {
    for (int i = 0; i < text.length(); i++) {
      char at = text.charAt(i);
      boolean isPair =
          Character.isHighSurrogate(at)
              && i + 1 < text.length()
              && Character.isLowSurrogate(text.charAt(i + 1));
      if (isPair) {
        i++;
      } else if (Character.isSurrogate(at)) {
        throw new IllegalArgumentException(
            "A cache key or tag must be text that can be encoded; at index "
                + i
                + " there is half of a surrogate pair");
      }
    }
    return text;
  }

  private static String render(Object key, String text, KeyRendering rendering) {
    if (key instanceof Long || key instanceof Integer || key instanceof Short) {
      // Through the policy itself, so that the fingerprint is the one that routing prints.
      return rendering.render(((Number) key).longValue());
    }
    return switch (rendering) {
      case NONE -> rendering.render(0);
      case FINGERPRINT -> rendering.render(spread(text.hashCode()));
      case FULL -> String.format(Locale.ROOT, "%s", text);
    };
  }

  /**
   * MurmurHash3's finalizer (Appleby): neighbouring keys fall into different stripes and buckets.
   */
  private static int spread(int hash) {
    int mixed = (hash ^ (hash >>> 16)) * 0x85EBCA6B;
    mixed = (mixed ^ (mixed >>> 13)) * 0xC2B2AE35;
    return mixed ^ (mixed >>> 16);
  }
}
