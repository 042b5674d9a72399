import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.image.MetadataDelta;
import org.apache.kafka.image.MetadataImage;
import org.apache.kafka.image.MetadataProvenance;
import org.apache.kafka.image.writer.ImageWriter;
import org.apache.kafka.image.writer.ImageWriterOptions;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/** Reads metadata records as hex, one a line, an empty line after each log; replays each log as the release does and prints the records of its image. */
public class ReplayMetadata {
    static final MetadataRecordSerde SERDE = new MetadataRecordSerde();

    static class Printer implements ImageWriter {
        @Override
        public void write(ApiMessageAndVersion record) {
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer buffer = ByteBuffer.allocate(SERDE.recordSize(record, cache));
            SERDE.write(record, cache, new ByteBufferAccessor(buffer));
            System.out.println(HexFormat.of().formatHex(buffer.array()));
        }

        @Override
        public void close(boolean complete) {
            System.out.println();
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        List<ApiMessageAndVersion> log = new ArrayList<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (!line.isEmpty()) {
                byte[] bytes = HexFormat.of().parseHex(line);
                log.add(SERDE.read(new ByteBufferAccessor(ByteBuffer.wrap(bytes)), bytes.length));
                continue;
            }
            MetadataImage image = MetadataImage.EMPTY;
            int length = 1;
            for (int start = 0; start < log.size(); start += length, length = length % 7 + 1) {
                MetadataDelta delta = new MetadataDelta.Builder().setImage(image).build();
                for (ApiMessageAndVersion record : log.subList(start, Math.min(start + length, log.size()))) delta.replay(record.message());
                image = delta.apply(MetadataProvenance.EMPTY);
            }
            log.clear();
            image.write(new Printer(), new ImageWriterOptions.Builder(image.features().metadataVersionOrThrow()).
                setEligibleLeaderReplicasEnabled(image.features().isElrEnabled()).build());
        }
    }
}
