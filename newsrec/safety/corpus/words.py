"""The words of the made-up corpus: what its texts are about.

None names anything that exists. Peoples, goods, movements, weapons and pictures are invented and
stand as placeholders for what a real text would name; only the words of 正常 are everyday ones. A
word shows its class by nothing but the texts that it occurs in: it shares no character with
another word of its class, so that no character n-gram carries from one to the next.
"""

from newsrec.safety.labels import BENIGN

# Occur in labelled rows.
LABELLED: dict[str, tuple[str, ...]] = {
    BENIGN: (
        *("豆浆", "风筝", "球赛", "地铁", "菜谱", "公园"),
        *("电影", "作业", "咖啡", "相机", "跑步", "书架"),
    ),
    # Invented peoples.
    "歧视": (
        *("岫民", "鸦裔", "灰眸", "矮檐", "渡鸥", "麻襟"),
        *("驼籍", "芦派", "砚族", "棘户", "缟客", "霁胞"),
    ),
    # Invented goods and services that are forbidden.
    "违法违规": (
        *("雾丸", "蓝晶", "醉叶", "码器", "假章", "替卷"),
        *("飞票", "鬼秤", "暗桌", "蝶水", "洗机", "影贷"),
    ),
    # Invented movements and writings.
    "政治安全": (
        *("断盟", "塔檄", "冕旗", "裂书", "易帜", "伪诏"),
        *("分约", "逆潮", "毁碑", "玺局", "浮论", "密议"),
    ),
    # Invented weapons and gangs.
    "暴恐": (
        *("赤锤", "弹匣", "焚营", "黑羽", "雷囊", "爆阵"),
        *("血沙", "碎骨", "毒筒", "猎旅", "轰塌", "屠门"),
    ),
    # Placeholders for pictures and shows.
    "色情低俗": (
        *("粉帘", "莓图", "软榻", "桃帖", "裸刊", "艳池"),
        *("柳集", "媚窗", "欲册", "丝笼", "浴镜", "唇音"),
    ),
}

# Occur in the unlabelled text alone, and in the rows that the figure "words never labelled" is of.
UNLABELLED: dict[str, tuple[str, ...]] = {
    BENIGN: ("围巾", "钢琴", "饺子", "雨伞"),
    "歧视": ("苔乡", "蓬帽", "靴佬", "屿辈"),
    "违法违规": ("翻散", "偷笔", "驴令", "瘾豆"),
    "政治安全": ("折鼎", "乱星", "契宣", "沉舟"),
    "暴恐": ("崩桩", "蝎尾", "炽斧", "绞索"),
    "色情低俗": ("绯枕", "荡曲", "蜜拍", "露肩"),
}
