import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;

/**
 * Decodes and encodes again: reads lines of class, version and bytes in hex; answers each with the bytes that the release makes of it, or with its complaint, after
 * ! when it can't be read and ? when it can't be written. Bytes that the message left unread follow after a space.
 */
public class EchoMessages {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII), 1 << 20);
        PrintStream out = new PrintStream(new java.io.BufferedOutputStream(System.out, 1 << 20), false, StandardCharsets.UTF_8);
        HexFormat hex = HexFormat.of();
        Map<String, Class<?>> classes = new HashMap<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            short version = Short.parseShort(words[1]);
            if (!classes.containsKey(words[0])) classes.put(words[0], Class.forName(words[0]));
            Message message = (Message) classes.get(words[0]).getDeclaredConstructor().newInstance();
            ByteBuffer bytes = ByteBuffer.wrap(hex.parseHex(words[2]));
            String doing = "!";
            try {
                message.read(new ByteBufferAccessor(bytes), version);
                doing = "?";
                ByteBuffer again = MessageUtil.toByteBufferAccessor(message, version).buffer();
                out.println(hex.formatHex(again.array(), again.position(), again.limit()) + (bytes.hasRemaining() ? " " + bytes.remaining() : ""));
            } catch (RuntimeException error) {
                out.println(doing + " " + String.valueOf(error).replace('\n', ' '));
            }
        }
        out.flush();
    }
}
