package dev.waymark.cache;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.MapperBuilder;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.jsontype.BasicPolymorphicTypeValidator;
import com.fasterxml.jackson.dataformat.smile.SmileGenerator;
import com.fasterxml.jackson.dataformat.smile.databind.SmileMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;

/** Values through Jackson's databinding, in one of its forms. */
final class JacksonCodec<V> implements Codec<V> {
  private final Form form;
  private final int schemaVersion;
  private final ObjectMapper mapper;
  private final JavaType type;
  private final ObjectWriter writer;
  private final ObjectReader reader;
  private final String fingerprint;

  /** What the bytes look like. */
  enum Form {
    /** Text in UTF-8. */
    JSON {
      @Override
      ObjectMapper mapper() {
        return strict(JsonMapper.builder());
      }
    },
    /** Jackson's binary form of JSON. */
    SMILE {
      @Override
      ObjectMapper mapper() {
        // Bytes as they are: nothing on the way minds any of them.
        return strict(SmileMapper.builder().disable(SmileGenerator.Feature.ENCODE_BINARY_AS_7BIT));
      }
    };

    abstract ObjectMapper mapper();

    private static ObjectMapper strict(MapperBuilder<?, ?> builder) {
      return builder
          .addModule(new JavaTimeModule())
          .addModule(new Jdk8Module())
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .disable(DeserializationFeature.ADJUST_DATES_TO_CONTEXT_TIME_ZONE)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          // In the binary form as well: a number would lose the zone.
          .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
          // Else what comes from Redis is not equal to what was loaded.
          .enable(SerializationFeature.WRITE_DATES_WITH_ZONE_ID)
          // Allows nothing. It is asked where an annotation of the application's own class lets
          // the bytes name a class; without it, whoever can write to Redis could choose one.
          .polymorphicTypeValidator(BasicPolymorphicTypeValidator.builder().build())
          .build();
    }
  }

  static <V> JacksonCodec<V> of(Form form, Class<V> type, int schemaVersion) {
    if (schemaVersion < 1) {
      throw new IllegalArgumentException("A schema version is at least 1, not " + schemaVersion);
    }
    ObjectMapper mapper = form.mapper();
    return new JacksonCodec<>(form, schemaVersion, mapper, mapper.constructType(type));
  }

  private JacksonCodec(Form form, int schemaVersion, ObjectMapper mapper, JavaType type) {
    this.form = form;
    this.schemaVersion = schemaVersion;
    this.mapper = mapper;
    this.type = type;
    this.writer = mapper.writerFor(type);
    this.reader = mapper.readerFor(type);
    this.fingerprint =
        form.name().toLowerCase(java.util.Locale.ROOT)
            + " "
            + schemaVersion
            + " "
            + type.toCanonical()
            + " "
            + JacksonSchema.hash(mapper, type);
  }

  /** One document for the whole list: Smile then writes each property's name once. */
  @Override
  public Codec<List<V>> ofLists() {
    return new JacksonCodec<>(
        form,
        schemaVersion,
        mapper,
        mapper.getTypeFactory().constructCollectionType(List.class, type));
  }

  @Override
  public byte[] encode(V value) {
    try {
      return writer.writeValueAsBytes(value);
    } catch (JsonProcessingException unwritable) {
      throw new UncheckedIOException(unwritable);
    }
  }

  @Override
  public V decode(byte[] bytes) {
    try {
      return reader.readValue(bytes);
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }

  @Override
  public String fingerprint() {
    return fingerprint;
  }
}
