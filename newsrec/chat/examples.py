"""What a tiny base model is pre-trained on."""

from newsrec.chat.messages import Messages

# A chat and the answer to it; without messages, a text to be continued from nothing.
Example = tuple[Messages, str]
