"""The classes of the safety classifier."""

BENIGN = "正常"

# In the order of their ids: the class of id 0 is the only one that is safe.
CLASSES = (BENIGN, "歧视", "违法违规", "政治安全", "暴恐", "色情低俗")
