package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.LogPosition;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32C;
import java.util.zip.Deflater;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class ValueFormatTest {
  private record Plain(String fingerprint) implements Codec<byte[]> {
    @Override
    public byte[] encode(byte[] value) {
      return value;
    }

    @Override
    public byte[] decode(byte[] bytes) {
      if (bytes.length > 0 && bytes[0] == 13) {
        throw new IllegalArgumentException("thirteen");
      }
      return bytes;
    }
  }

  private static final Plain CODEC = new Plain("plain 1");
  private static final LogPosition POSITION = new LogPosition(-5, 3, 0xFFFF_0000_0000_0001L);

  private final ValueFormat<byte[]> format = new ValueFormat<>(CODEC);

  private static ValueFormat<byte[]> limited(int maximumBytes, int compressFrom) {
    return new ValueFormat<>(CODEC, new ValueFormat.Sizes(maximumBytes, compressFrom));
  }

  private static ValueFormat.Defect defect(ValueFormat<byte[]> format, byte[] bytes) {
    return format.decode(bytes) instanceof ValueFormat.Decoded.Unreadable<byte[]> unreadable
        ? unreadable.defect()
        : null;
  }

  private static byte[] value(ValueFormat<byte[]> format, byte[] bytes) {
    return ((ValueFormat.Decoded.Value<byte[]>) format.decode(bytes)).value();
  }

  @Property(tries = 200)
  void everythingComesBack(
      @ForAll byte[] value, @ForAll boolean positioned, @ForAll boolean compressing) {
    ValueFormat<byte[]> format = limited(1 << 20, compressing ? 1 : ValueFormat.Sizes.NEVER);
    LogPosition position = positioned ? POSITION : null;
    byte[] bytes = format.encode(value, position).bytes();
    if (value.length > 0 && value[0] == 13) {
      assertThat(defect(format, bytes)).isEqualTo(ValueFormat.Defect.UNDECODABLE);
    } else {
      assertThat(value(format, bytes)).isEqualTo(value);
      assertThat(((ValueFormat.Decoded.Value<byte[]>) format.decode(bytes)).position())
          .isEqualTo(position);
    }
  }

  @Property(tries = 500)
  void anyBytesAreReadWithoutAnException(@ForAll byte[] anything) {
    assertThat(defect(format, anything)).isNotNull();
  }

  @Property(tries = 500)
  void anyCutOrDamageIsAMiss(
      @ForAll @IntRange(max = 40) int at, @ForAll @IntRange(min = 1, max = 255) int damage) {
    byte[] bytes = format.encode(new byte[] {1, 2, 3, 4, 5}, POSITION).bytes();
    int place = at % bytes.length;
    assertThat(defect(format, Arrays.copyOf(bytes, place))).isNotNull();
    bytes[place] ^= (byte) damage;
    assertThat(defect(format, bytes)).isNotNull();
  }

  @Test
  void absenceIsAValueOfItsOwn() {
    assertThat(format.decode(format.encode(null, POSITION).bytes()))
        .isEqualTo(new ValueFormat.Decoded.Value<byte[]>(null, POSITION, ValueFormat.Origin.READ));
  }

  @Test
  void whatAWriterHasPutIsToldFromWhatWasRead() {
    ValueFormat<byte[]> compressing = limited(1 << 20, 1);
    for (byte[] value : new byte[][] {null, {1}, new byte[5_000]}) {
      for (ValueFormat.Origin origin : ValueFormat.Origin.values()) {
        assertThat(compressing.decode(compressing.encode(value, POSITION, origin).bytes()))
            .isInstanceOfSatisfying(
                ValueFormat.Decoded.Value.class,
                decoded -> {
                  assertThat(decoded.origin()).isEqualTo(origin);
                  assertThat(decoded.position()).isEqualTo(POSITION);
                  assertThat(decoded.value()).isEqualTo(value);
                });
      }
    }
  }

  @Test
  void otherFingerprintIsAMiss() {
    byte[] bytes = format.encode(new byte[] {1}, null).bytes();
    assertThat(defect(new ValueFormat<>(new Plain("plain 2")), bytes))
        .isEqualTo(ValueFormat.Defect.OTHER_SCHEMA);
  }

  @Test
  void fingerprintOfAnyLengthTakesEightBytes() {
    ValueFormat<byte[]> longer = new ValueFormat<>(new Plain("x".repeat(5_000)));
    byte[] bytes = longer.encode(new byte[] {1}, null).bytes();
    assertThat(bytes).hasSameSizeAs(format.encode(new byte[] {1}, null).bytes());
    assertThat(defect(new ValueFormat<>(new Plain("x".repeat(5_001))), bytes))
        .isEqualTo(ValueFormat.Defect.OTHER_SCHEMA);
  }

  // Size

  @Test
  void valueAboveTheLimitLeavesAWordInItsPlace() {
    ValueFormat<byte[]> small = limited(100, ValueFormat.Sizes.NEVER);
    assertThat(small.encode(new byte[100], null)).isInstanceOf(ValueFormat.Encoded.Whole.class);
    ValueFormat.Encoded encoded = small.encode(new byte[101], POSITION);
    assertThat(((ValueFormat.Encoded.TooLarge) encoded).size()).isEqualTo(101);
    assertThat(encoded.bytes()).hasSizeLessThan(20);
    assertThat(small.decode(encoded.bytes())).isEqualTo(new ValueFormat.Decoded.Unkept<byte[]>());
  }

  @Test
  void valueThatAnotherProcessAllowedIsNotTaken() {
    byte[] bytes = format.encode(new byte[101], null).bytes();
    assertThat(defect(limited(100, ValueFormat.Sizes.NEVER), bytes))
        .isEqualTo(ValueFormat.Defect.OVERSIZED);
  }

  // Compression

  @Test
  void onlyWhatIsLongEnoughAndGetsSmallerIsCompressed() {
    ValueFormat<byte[]> compressing = limited(1 << 20, 1_000);
    int header = format.encode(new byte[0], null).bytes().length;
    assertThat(compressing.encode(new byte[999], null).bytes()).hasSize(header + 999);
    assertThat(compressing.encode(new byte[1_000], null).bytes().length).isLessThan(header + 100);
    byte[] noise = new byte[10_000];
    new Random(7).nextBytes(noise);
    byte[] bytes = compressing.encode(noise, null).bytes();
    assertThat(bytes).hasSize(header + 10_000);
    assertThat(value(compressing, bytes)).isEqualTo(noise);
  }

  @Test
  void whoDoesNotCompressReadsWhatIsCompressed() {
    byte[] bytes = limited(1 << 20, 1).encode(new byte[5_000], POSITION).bytes();
    assertThat(value(format, bytes)).isEqualTo(new byte[5_000]);
  }

  /** A gigabyte of nothing takes one megabyte on the wire. */
  @Test
  void bombIsNotUnpackedWhateverLengthItTells() {
    byte[] bomb = deflated(64 << 20);
    assertThat(bomb.length).isLessThan(1 << 20);
    for (int told : new int[] {0, 1, 1 << 20, (1 << 20) + 1, 64 << 20, Integer.MAX_VALUE, -1}) {
      long before = allocated();
      assertThat(defect(format, packed(bomb, told))).isNotNull();
      assertThat(allocated() - before).isLessThan(4L << 20);
    }
    assertThat(defect(format, packed(bomb, 64 << 20))).isEqualTo(ValueFormat.Defect.OVERSIZED);
    assertThat(defect(format, packed(bomb, 1 << 20))).isEqualTo(ValueFormat.Defect.UNDECODABLE);
  }

  @Test
  void compressedValueThatTellsAWrongLengthIsAMiss() {
    byte[] packed = deflated(1_000);
    assertThat(value(format, packed(packed, 1_000))).hasSize(1_000);
    for (int told : new int[] {0, 999, 1_001}) {
      assertThat(defect(format, packed(packed, told))).isEqualTo(ValueFormat.Defect.UNDECODABLE);
    }
    assertThat(defect(format, packed(new byte[] {1, 2, 3}, 1_000)))
        .isEqualTo(ValueFormat.Defect.UNDECODABLE);
  }

  private static long allocated() {
    return ((com.sun.management.ThreadMXBean)
            java.lang.management.ManagementFactory.getThreadMXBean())
        .getThreadAllocatedBytes(Thread.currentThread().getId());
  }

  private static byte[] deflated(int zeros) {
    Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
    deflater.setInput(new byte[zeros]);
    deflater.finish();
    byte[] bytes = new byte[1 << 20];
    int length = deflater.deflate(bytes);
    deflater.end();
    return Arrays.copyOf(bytes, length);
  }

  /** As the format would be written by somebody who lies about the length, checksum and all. */
  private byte[] packed(byte[] deflated, int told) {
    byte[] whole = limited(1 << 20, 1).encode(new byte[5_000], null).bytes();
    int header = 2 + Integer.BYTES + 1 + Long.BYTES;
    ByteBuffer bytes = ByteBuffer.allocate(header + Integer.BYTES + deflated.length);
    bytes.put(whole, 0, header).putInt(told).put(deflated);
    CRC32C checksum = new CRC32C();
    checksum.update(bytes.array(), 6, bytes.capacity() - 6);
    bytes.putInt(2, (int) checksum.getValue());
    return bytes.array();
  }
}
